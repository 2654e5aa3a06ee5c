"""From a configuration to a problem, and from there through a whole search."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from naopt.errors import InputError
from naopt.evaluators.table import TableEvaluator
from naopt.measurement import MetricInfo
from naopt.problem import Limit, Objective
from naopt.run import resume_run, start_run
from naopt.run.config import RunConfig
from naopt.run.problem import read_problem
from naopt.run.setup import prepare
from naopt.spaces import GenericSpace
from naopt.tables import Table, save_table

SPACE = GenericSpace({"width": [1, 2, 3, 4, 5], "depth": [1, 2, 3, 4, 5], "kind": ["a", "b"]})


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    architectures = list(SPACE.enumerate())
    tokens = np.array([architecture.tokens for architecture in architectures])
    width, depth = tokens[:, 0] + 1.0, tokens[:, 1] + 1.0
    acc = 10 * np.sqrt(width * depth) + tokens[:, 2]
    metrics = {"acc": acc, "latency_ms": width * depth, "heat": width + depth}
    infos = {"acc": MetricInfo("max"), "latency_ms": MetricInfo("min", "ms"), "heat": MetricInfo("min")}
    path = tmp_path_factory.mktemp("table") / "small.npz"
    save_table(Table("small", SPACE, tokens, metrics, infos), path)
    return path


def test_what_is_written_becomes_objectives_limits_and_costs(table: Path) -> None:
    config = RunConfig(metric="acc, min:latency_ms", max={"heat": 7.0}, min={"acc": 20.0})
    problem = read_problem(config, TableEvaluator(table))
    assert problem.objectives == (Objective("acc"), Objective("latency_ms", "min"))
    assert problem.limits == (Limit("heat", "max", 7.0), Limit("acc", "min", 20.0))
    assert problem.known == ()
    assert problem.costs is not None
    assert list(problem.costs.metrics) == ["latency_ms"]
    by_hand = read_problem(config, TableEvaluator(table, known=["heat"]))
    assert [limit.metric for limit in by_hand.known] == ["heat"]
    assert TableEvaluator(table, known=["none"]).costs() is None


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"metric": "acc,"}, "objective '': must be METRIC, min:METRIC, max:METRIC or METRIC:min"),
        ({"metric": "acc,acc"}, "objective 'acc': is named twice"),
        (
            {"metric": "max:latency_ms"},
            "objective 'max:latency_ms': latency_ms is to be minimised, says what measures it",
        ),
        ({"metric": "accc"}, "metric of table small 'accc': unknown; did you mean 'acc'?"),
        ({"max": {"latenc": 1.0}}, "--max, metric 'latenc': unknown"),
        (
            {"max": {"latency_ms": 0.5}},
            "limit 'latency_ms <= 0.5': no architecture keeps it; the closest has latency_ms 1: width=1,depth=1,kind=a",
        ),
        ({"metric": "acc,latency_ms", "searcher": "gp"}, "objectives 'acc, latency_ms': gp takes one; take one of "),
        ({"scalarise": "weights"}, "--scalarise 'weights': needs several objectives"),
        ({"metric": "acc,heat", "searcher": "gp", "scalarise": "weights=1"}, "weights of --scalarise '1': must be 2"),
        ({"known": ["acc", "none"]}, "--known, metric of table small 'none': unknown"),
        (
            {"device_file": "device.json"},
            "device file 'device.json': has a use only where networks are trained: --task",
        ),
    ],
)
def test_what_cannot_be_wanted_is_refused_before_anything_is_written(
    table: Path, tmp_path: Path, changes: dict[str, object], line: str
) -> None:
    values = {"table": str(table), "metric": "acc", "searcher": {"name": "nao"}, "budget": 5}
    if "searcher" in changes:
        changes = {**changes, "searcher": {"name": changes["searcher"]}}
    with pytest.raises(InputError) as caught:
        start_run(tmp_path / "run", RunConfig.from_values({**values, **changes}))
    assert str(caught.value).startswith(line)
    assert not (tmp_path / "run").exists()


def test_a_search_with_limits_shows_nothing_that_breaks_them(table: Path, tmp_path: Path) -> None:
    config = RunConfig(
        table=str(table), metric="acc,heat", max={"latency_ms": 12.0}, min={"acc": 15.0}, budget=16, searcher="nsga2"
    )
    record = start_run(tmp_path / "run", config)
    assert len(record.trials) == 16
    shown = [trial.measurement.metrics for trial in record.ranked() if trial.measurement is not None]
    assert 0 < len(shown) <= 16
    assert all(m["latency_ms"] <= 12 and m["acc"] >= 15 for m in shown)
    every = [trial.measurement.metrics for trial in record.trials if trial.measurement is not None]
    assert all(m["latency_ms"] <= 12 for m in every)
    assert sum(log.get("passed_over", 0) for log in record.rounds) > 0
    again = resume_run(tmp_path / "run")
    assert again.problem == record.problem
    assert [trial.text for trial in again.trials] == [trial.text for trial in record.trials]
    assert "known" not in (tmp_path / "run" / "config.toml").read_text()


def test_what_a_limit_on_a_known_cost_forbids_is_not_enqueued(table: Path) -> None:
    given = {"table": str(table), "metric": "acc", "max": {"latency_ms": 6.0}}
    prepare(RunConfig(**given, enqueue=("width=3,depth=2,kind=a",)))
    with pytest.raises(InputError, match=r"enqueue 'width=5,.*': has latency_ms 10, and the limit is latency_ms <= 6$"):
        prepare(RunConfig(**given, enqueue=("width=3,depth=2,kind=a", "width=5,depth=2,kind=b")))
    prepare(RunConfig(**given, known=("heat",), enqueue=("width=5,depth=2,kind=b",)))
