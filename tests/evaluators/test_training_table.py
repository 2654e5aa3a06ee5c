import json
from pathlib import Path

import numpy as np
import pytest

from naopt.errors import InputError
from naopt.evaluators.build_table import TableBuilder, job_seed, main, sample_distinct
from naopt.evaluators.training import TrainingEvaluator
from naopt.spaces import ConvCellSpace, GenericSpace, Position
from naopt.tables import load_table

TINY = {"epochs": 1, "train_limit": 20, "valid_limit": 20, "batch_size": 20, "filters": 2}


def builder(out: Path, *, count: int = 3, repeats: int = 2, **changes: object) -> TableBuilder:
    evaluator = TrainingEvaluator(ConvCellSpace(1), "digits", {**TINY, **changes}, measure_test=True)
    return TableBuilder(evaluator, count, repeats, 0, out)


def values(path: Path) -> dict[str, list[list[float]]]:
    table = load_table(path)
    return {name: table.metrics[name].tolist() for name in ("valid_acc", "test_acc", "params")}


def test_a_table_of_trained_cells(tmp_path: Path) -> None:
    out = tmp_path / "small.npz"
    builder(out).run()
    table = load_table(out)
    assert table.name == "small"
    assert table.space.name == "conv-cell:nodes=1"
    assert [a.tokens for a in sample_distinct(table.space, 3, 0)] == [tuple(row) for row in table.tokens.tolist()]
    assert {name: table.metrics[name].shape for name in table.infos} == {
        "valid_acc": (3, 2), "test_acc": (3, 2), "params": (3,), "seconds": (3, 2),
    }  # fmt: skip
    assert {name: info.goal for name, info in table.infos.items()} == {
        "valid_acc": "max", "test_acc": "max", "params": "min", "seconds": "min",
    }  # fmt: skip
    assert all(np.isfinite(found).all() for found in table.metrics.values())
    order = [json.loads(line) for line in out.with_name("small.npz.jsonl").read_text().splitlines()[1:]]
    assert [(r["repeat"], r["row"]) for r in order] == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]


def test_a_killed_build_goes_on_to_the_same_table(tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole.npz", tmp_path / "killed.npz"
    builder(whole).run(workers=2)
    builder(killed).run()
    log = killed.with_name("killed.npz.jsonl")
    lines = log.read_text().splitlines(keepends=True)
    log.write_text("".join(lines[:4]) + lines[4][:20])
    table = builder(killed).write()
    assert int(np.isnan(table.metrics["valid_acc"]).sum()) == 3
    builder(killed).run()
    assert values(killed) == values(whole)
    assert len(log.read_text().splitlines()) == 7


def test_more_cells_are_added_to_those_that_are_there(tmp_path: Path) -> None:
    out = tmp_path / "t.npz"
    builder(out, count=2, repeats=1).run()
    first = values(out)
    builder(out, count=3, repeats=1).run()
    assert values(out)["valid_acc"][:2] == first["valid_acc"]
    assert len(values(out)["valid_acc"]) == 3


def test_a_log_of_another_build_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "t.npz"
    builder(out, count=1, repeats=1).run()
    with pytest.raises(InputError, match="other settings"):
        builder(out, count=1, repeats=1, epochs=2).run()


def test_failed_cells_are_not_measured_in_the_table(tmp_path: Path) -> None:
    out = tmp_path / "t.npz"
    builder(out, count=2, repeats=1, learning_rate=1e30, clip_norm=0.0, epochs=3).run()
    table = load_table(out)
    assert np.isnan(table.metrics["valid_acc"]).any()
    assert np.isfinite(table.metrics["params"]).all()
    records = [json.loads(line) for line in out.with_name("t.npz.jsonl").read_text().splitlines()[1:]]
    assert any(record.get("status") == "diverged" and record["reason"] for record in records)


def test_seeds_differ_by_row_and_repeat() -> None:
    assert len({job_seed(0, (row, repeat)) for row in range(20) for repeat in range(3)}) == 60
    assert job_seed(0, (1, 0)) != job_seed(1, (1, 0))


def test_a_space_that_is_too_small() -> None:
    with pytest.raises(InputError, match="only 2 token sequences"):
        sample_distinct(GenericSpace([Position("a", ("x", "y"))]), 3, 0)
    with pytest.raises(InputError, match="distinct architectures found"):
        sample_distinct(ConvCellSpace(1, "identity+conv1x1"), 256, 0)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--out", str(tmp_path / "t.npz"), "--count", "0"]) == 2
    assert "count '0': must be at least 1" in capsys.readouterr().err
    task = f"images:{tmp_path}"
    assert main(["--out", str(tmp_path / "t.npz"), "--count", "1", "--task", task]) == 2
    assert "has no class folders" in capsys.readouterr().err
