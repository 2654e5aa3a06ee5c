"""Metrics as large and as small as floats are, in pages, figures and tables."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

import naopt
from naopt.cli.app import run as command
from naopt.measurement import MetricInfo
from naopt.report.bench_page import write_bench
from naopt.report.summary import drawable
from naopt.spaces import GenericSpace
from naopt.tables import Table, save_table

LARGEST = sys.float_info.max
MIXED = [LARGEST, -LARGEST, 1e307, -0.0, 1e-310, 3.0]
KINDS = {"sentinel": [LARGEST, 0.1, 0.2, 0.3, 0.4, 0.5], "tiny": [1e-310, 2e-310, 3e-310, 5e-324, 0.0, -0.0]}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.usefixtures("in_this_process")
def test_no_figure_raises(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    space = GenericSpace({"a": naopt.integer(0, 5), "b": ["x", "y", "z"]})
    cells = list(space.enumerate())
    figures = np.array([KINDS[kind][cell.tokens[0]] for cell in cells])
    metrics = {
        "loss": np.stack([figures, figures], axis=1),
        "size": np.array([MIXED[cell.tokens[0]] for cell in cells]),
    }
    infos = {"loss": MetricInfo("min"), "size": MetricInfo()}
    table = Table("extremes", space, np.array([cell.tokens for cell in cells]), metrics, infos)
    assert table.values("loss").tolist() == figures.tolist()
    save_table(table, tmp_path / "t.npz")

    options = {"searcher": "evolution", "settings": {"population": 4}, "budget": 12, "objective": "loss"}
    result = naopt.search(None, table, run=tmp_path / "run", **options)  # type: ignore[arg-type]
    assert result.best_value == min(trial.value or 0.0 for trial in result.trials)
    assert result.plot()._repr_png_()  # type: ignore[attr-defined]
    for line in (["report"], ["show"], ["show", "--rounds"], ["show", "--json"]):
        assert command([line[0], str(tmp_path / "run"), *line[1:]]) == 0

    found = naopt.compare(table, ["evolution", "random"], budget=6, trials=3, report_metric="size")
    assert found.plot()._repr_png_()  # type: ignore[attr-defined]
    write_bench(found.summary, found.trials, tmp_path)
    quality = ["quality", "--table", str(tmp_path / "t.npz"), "--metric", "size", "--models", "boosted-trees"]
    assert command([*quality, "--train-sizes", "8", "--trials", "1"]) == 0
    assert "Traceback" not in capsys.readouterr().err


def test_what_figures_show() -> None:
    assert [drawable(value) for value in (LARGEST, -LARGEST, 1e-310, 0.5)] == [1e300, -1e300, 0.0, 0.5]
