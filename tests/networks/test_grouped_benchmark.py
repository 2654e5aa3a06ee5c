from __future__ import annotations

import time

import pytest
import torch
from benchmarks import grouped_inference
from benchmarks.grouped_inference import Bench, Row, table

from naopt.networks.settings import NetworkSettings
from naopt.spaces import InstaSpace


def test_ratios_are_of_measured_to_ideal_speedups() -> None:
    row = Row(batch=64, children=8, active=0.5, cost=0.5, ms=5.0, whole_ms=8.0, dearest_ms=6.0, dearest_cost=0.75)
    assert row.speedups == ((1.6, 2.0), (1.2, 1.5))
    assert row.ratios == pytest.approx((0.8, 0.8))
    assert table([row]).splitlines()[2] == (
        "| 64 | 8 | 50% | 5.00 | 8.00 | 6.00 | 1.60 | 2.00 | **0.80** | 1.20 | 1.50 | **0.80** |"
    )


def test_a_policy_is_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grouped_inference, "_TABLES", 1)
    space = InstaSpace(2, 1, "mb3e1+mb3e2")
    bench = Bench(space, NetworkSettings(filters=2), (1, 4, 4), 6, 0.0, time.perf_counter)
    generator = torch.Generator().manual_seed(0)
    mixed = bench.row(6, 0.5, 0.0, generator)
    assert (mixed.batch, mixed.children) == (6, 6)
    assert min(mixed.ms, mixed.whole_ms, mixed.dearest_ms) > 0
    assert 0 < mixed.active < 1
    whole = bench.row(3, 1.0, 0.0, generator)
    assert whole.active == 1
    assert whole.dearest_cost == pytest.approx(1)
    assert whole.cost == pytest.approx(1 + bench.costs.controller / bench.costs.whole)
    assert bench.row(1, 0.5, 1.0, generator).cost > bench.row(1, 0.0, 0.0, generator).cost > 0


def test_another_space_is_refused() -> None:
    with pytest.raises(SystemExit) as stopped:
        grouped_inference.main(space="nasbench201")
    assert stopped.value.code == 2
