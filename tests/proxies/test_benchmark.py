"""The benchmark of proxies, on a few cells of a table that is made here."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from benchmarks import zero_cost

from naopt.measurement import MetricInfo
from naopt.metrics import kendall_tau, spearman
from naopt.spaces import NASBench201Space
from naopt.tables import Table, save_table


@pytest.fixture
def table(tmp_path: Path) -> Path:
    space, rng = NASBench201Space(), np.random.default_rng(0)
    tokens = np.array([space.sample(rng).tokens for _ in range(40)])
    _, first = np.unique([space.architecture(row.tolist()).identity for row in tokens], axis=0, return_index=True)
    values = (tokens[first] == 3).sum(1) + rng.random(len(first))
    made = Table("toy", space, tokens[first], {"test_acc/cifar10": values}, {"test_acc/cifar10": MetricInfo("max")})
    save_table(made, tmp_path / "toy.npz")
    return tmp_path / "toy.npz"


def test_correlations_and_going_on(table: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    out = tmp_path / "cells.jsonl"
    tiny = ["filters=2", "cells_per_stage=1", "train_limit=60", "valid_limit=20"]
    arguments = ["--task", "digits", "--table", str(table), "--proxies", "params,l2,synflow", "--out", str(out)]
    arguments += [f"--set={setting}" for setting in tiny]
    zero_cost.main([*arguments, "--cells", "5"])
    capsys.readouterr()
    zero_cost.main([*arguments, "--cells", "8", "--json"])
    said = capsys.readouterr()
    assert said.err.count(" cells, ") == 3, "the first five are not measured again"
    document = json.loads(said.out)
    cells = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()[1:]]
    assert len({cell["row"] for cell in cells}) == document["cells"] == 8
    from naopt.tables import load_table

    figures = load_table(str(table)).values("test_acc/cifar10")[[cell["row"] for cell in cells]]
    values = [cell["values"]["synflow"] for cell in cells]
    found = document["results"]["synflow"]
    assert found["spearman"] == pytest.approx(spearman(figures, values))
    assert found["kendall"] == pytest.approx(kendall_tau(figures, values))
    assert found["published"] == 0.74
    assert document["results"]["params"]["seconds"] > 0
    zero_cost.main([*arguments, "--cells", "0"])
    assert "| synflow | " in capsys.readouterr().out
    with pytest.raises(SystemExit, match="2"):
        zero_cost.main([*arguments, "--cells", "1", "--seed", "1"])
    assert "measured otherwise" in capsys.readouterr().err


def test_what_is_left_at_equal_parameters() -> None:
    rng = np.random.default_rng(0)
    size = rng.normal(size=400)
    noise, more = rng.normal(size=(2, 400))
    assert abs(zero_cost.partial(size + noise, size + more, size)) < 0.1
    assert zero_cost.partial(size + noise, size + noise, size) == pytest.approx(1)
