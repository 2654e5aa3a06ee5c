"""How large a pick's network is, in the search and in final training."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from naopt.cli.app import run as command
from naopt.evaluators.final import final_workload
from naopt.run import RunConfig, load_run, start_run
from naopt.run.workloads import NetworkSizes, network_sizes
from tests.ranking.toys import TINY, MadeUpTraining, make_up_trainings


def test_sizes_are_those_of_the_networks(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("naopt.run.setup.TrainingEvaluator", MadeUpTraining)
    make_up_trainings(monkeypatch)
    values = {"space": "nasbench201", "task": "digits", "searcher": "random", "training": TINY, "budget": 2}
    record = start_run(tmp_path / "run", RunConfig.from_values(values))
    best = record.best()
    assert best is not None
    works = final_workload("digits", "recipe", TINY), final_workload("digits")
    expected = [work.costs(record.space).totals(best.architecture).params for work in works]  # type: ignore[union-attr]
    assert expected[0] < expected[1]
    assert network_sizes(record) == NetworkSizes(expected[0], expected[1], "digits-final")
    assert record.meta["shape"] == {"image": [1, 8, 8], "classes": 10}
    assert command(["show", str(tmp_path / "run")]) == 0
    line = f"network:    {expected[0]:,} parameters in the search, {expected[1]:,} in final training (digits-final)"
    assert line in capsys.readouterr().out
    assert command(["show", str(tmp_path / "run"), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["network"] == {"search": expected[0], "final": expected[1], "preset": "digits-final"}


def test_nothing_is_said_where_it_is_not_known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("naopt.run.setup.TrainingEvaluator", MadeUpTraining)
    make_up_trainings(monkeypatch)
    values = {"space": "nasbench201", "task": "digits", "searcher": "random", "training": TINY, "budget": 1}
    start_run(tmp_path / "run", RunConfig.from_values(values))
    record = load_run(tmp_path / "run")
    assert network_sizes(record) is not None
    del record.meta["shape"]  # as of an older naopt
    assert network_sizes(record) is None
