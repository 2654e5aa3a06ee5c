"""Tables without a graph: their rows, and that a file is whole or not there."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from benchmarks.generic_tables import boosting, pipelines, write

from naopt.measurement import MetricInfo
from naopt.tables import import_csv


def test_rows_are_measured_and_read_as_tables(tmp_path: Path) -> None:
    metrics = {"valid": MetricInfo("max", "%"), "test": MetricInfo("max", "%")}
    assert write(tmp_path / "boosting.csv", islice(boosting(), 10)) == 10
    table = import_csv(tmp_path / "boosting.csv", metrics)
    assert len(table) == 10
    first = list(islice(boosting(), 5))
    assert [row["iterations"] for row in first] == [10, 20, 40, 80, 160]
    assert all(-100 < float(str(row["valid"])) < 100 for row in first)
    assert first == list(islice(boosting(), 5)), "nothing in it is random"
    rows = list(islice(pipelines(), 2))
    assert [row["level"] for row in rows] == [1, 2]
    assert all(50 < float(str(row["valid"])) <= 100 for row in rows)
    assert [path.name for path in tmp_path.iterdir()] == ["boosting.csv"]
