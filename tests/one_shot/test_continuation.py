"""All weight-sharing searchers: they continue bit for bit, and keep their contract."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from naopt.one_shot import one_shot
from tests.one_shot.continuation import assert_continues
from tests.one_shot.toy import toy_trainer

VARIANTS: list[tuple[str, dict[str, Any]]] = [
    *((name, {}) for name in one_shot.names()),
    ("enas", {"buffer": 8, "buffer_batch": 4, "warmup": 0.0}),
    ("parsec", {"weight_samples": 3, "warmup": 0.0}),
    ("darts", {"order": "second", "warmup": 0.4}),
]


@pytest.mark.parametrize("stop_at", [2, 15, 18], ids=["warmup", "amid", "epoch"])
@pytest.mark.parametrize(("name", "settings"), VARIANTS)
def test_a_search_continues_bit_for_bit(name: str, settings: dict[str, Any], stop_at: int, tmp_path: Path) -> None:
    kind = one_shot.get(name)
    assert_continues(lambda: toy_trainer(kind, **settings), tmp_path / "state.safetensors", stop_at=stop_at)


@pytest.mark.parametrize("name", one_shot.names())
@pytest.mark.parametrize("count", [1, 7, 40])
def test_candidates_are_distinct_and_valid(name: str, count: int) -> None:
    """The toy has 16 architectures of two positions."""
    trainer = toy_trainer(one_shot.get(name), positions=2)
    trainer.run()
    found = [p.architecture for p in trainer.searcher.candidates(count, trainer)]
    assert 0 < len(found) == len(set(found)) <= min(count, 16)
    assert all(trainer.searcher.space.contains(a.tokens) for a in found)


@pytest.mark.parametrize("name", one_shot.names())
def test_equal_seeds_give_equal_searches(name: str) -> None:
    results = []
    for seed in (0, 0, 1):
        trainer = toy_trainer(one_shot.get(name), seed=seed)
        trainer.run()
        found = [p.architecture.tokens for p in trainer.searcher.candidates(5, trainer)]
        results.append((found, [row["train_loss"] for row in trainer.history]))
    assert results[0] == results[1] != results[2]


@pytest.mark.parametrize("name", one_shot.names())
def test_a_sampled_path_is_measured(name: str) -> None:
    assert 30 < toy_trainer(one_shot.get(name)).measure("valid")["acc"] < 60
