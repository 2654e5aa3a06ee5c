"""A time limit holds for a search with its finalists: measuring ends early enough for them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import naopt
from naopt.cli.app import run as command
from naopt.evaluators.training import TrainingEvaluator
from naopt.evaluators.training_levels import relative_cost
from naopt.execution import Deadline
from naopt.execution.trial import Trial
from naopt.measurement import Measurement
from naopt.run import RunConfig, open_run, resume_run, start_run
from naopt.run.finalist_time import FinalistTime, measuring_deadline
from naopt.run.setup import Setup, prepare
from naopt.run.workloads import workload_of
from tests.ranking.toys import TINY, MadeUpTraining, make_up_trainings

SECONDS = 0.5


@pytest.fixture
def training(monkeypatch: pytest.MonkeyPatch) -> type[MadeUpTraining]:
    """Trainings of half a second each, by a clock on which nothing else takes any time."""
    for module in ("run.setup", "run.finalist_training", "run.finalist_time"):
        monkeypatch.setattr(f"naopt.{module}.TrainingEvaluator", MadeUpTraining)
    made = make_up_trainings(monkeypatch)
    clock = SimpleNamespace(monotonic=lambda: SECONDS * len(made.asked))
    for module in ("execution.deadline", "run.search_state"):
        monkeypatch.setattr(f"naopt.{module}.time", clock)
    return made


def configuration(**changes: Any) -> RunConfig:
    values = {"space": "nasbench201", "task": "digits", "searcher": "random", "training": TINY, "budget": 100}
    return RunConfig.from_values({**values, "time": 10, **changes})


@pytest.mark.parametrize(
    ("finalists", "measured"),
    [(1, 16), (2, 12), (3, 10), (5, 10)],  # four times the epochs: 2 s each, and 5 s are half of the limit
)
def test_measuring_leaves_what_finalists_are_expected_to_take(
    training: type[MadeUpTraining], tmp_path: Path, capsys: pytest.CaptureFixture[str], finalists: int, measured: int
) -> None:
    training.failing.clear()
    record = start_run(tmp_path / "run", configuration(finalists=finalists))
    assert (len(record.evaluated), len(record.finalists), record.finished) == (measured, finalists, True)
    assert not record.time_is_up
    assert record.best() is not None
    assert record.best().index in record.finalists  # type: ignore[union-attr]
    assert not open_run(tmp_path / "run").carry_out()
    assert command(["show", str(tmp_path / "run")]) == 0
    assert "time:       no more was measured, to train the finalists within 10 s" in capsys.readouterr().out


def test_a_longer_limit_goes_on_measuring(training: type[MadeUpTraining], tmp_path: Path) -> None:
    training.failing.clear()
    start_run(tmp_path / "run", configuration(finalists=1))
    record = resume_run(tmp_path / "run", time=20)
    # 16 + 1 before; another 9.5 s are left, of which 2 are kept.
    assert (len(record.evaluated), record.finished) == (16 + 19, True)
    assert {trial.index for trial in record.wanted_finalists} <= set(record.finalists)


def test_in_memory_too(training: type[MadeUpTraining]) -> None:
    training.failing.clear()
    evaluator = prepare(configuration()).evaluator
    result = naopt.search(None, evaluator, searcher="random", budget=100, time=10, finalists=1)
    assert (result.progress[0], result.finished) == (16, True)
    assert result.finalists is not None
    assert [row.index for row in result.finalists.rows] == [result.best.index]


def test_without_a_limit_or_finalists_nothing_is_kept() -> None:
    deadline = Deadline(5.0)
    for changes in ({"time": 0, "finalists": 2}, {"finalists": 0}):
        setup = prepare(configuration(**changes))
        assert measuring_deadline(setup, (), 1, deadline) == (deadline, [])


def kept(setup: Setup, rows: list[tuple[float, float]], workers: int = 1) -> float:
    """Seconds for trials of (accuracy, seconds)."""
    found = [Measurement({"valid_acc": score}, seconds) for score, seconds in rows]
    return FinalistTime(setup, [trial(setup, each) for each in found], workers).seconds()


def trial(setup: Setup, found: Measurement) -> Trial:
    architecture = setup.space.architecture((0,) * len(setup.space.positions))
    return Trial(0, 0, architecture, setup.space.format(architecture), "random", measurement=found)


def test_leaders_say_how_long_they_take() -> None:
    setup = prepare(configuration(finalists=2, time=1000))
    assert kept(setup, []) == 0.0
    assert kept(setup, [(50.0, 3.0)]) == pytest.approx(2 * 4 * 3.0)
    assert kept(setup, [(50.0, 3.0), (60.0, 5.0), (70.0, 7.0)]) == pytest.approx(2 * 4 * 6.0)
    assert kept(setup, [(50.0, 3.0), (60.0, 5.0), (70.0, 7.0)], workers=2) == pytest.approx(4 * 6.0)
    assert kept(setup, [(50.0, 300.0)]) == 500.0
    ill = Measurement({}, 300.0, "diverged", "loss is nan")
    assert FinalistTime(setup, [trial(setup, ill)], 1).seconds() == 0.0
    rest = replace(trial(setup, Measurement({"valid_acc": 50.0}, 3.0)), cost=0.75)
    assert FinalistTime(setup, [rest], 1).seconds() == pytest.approx(2 * 4 * 3.0 / 0.75)


def test_a_preset_counts_by_epochs_and_multiply_adds() -> None:
    space = prepare(configuration()).space
    own = TrainingEvaluator(space, "digits", {**TINY, "epochs": 2, "filters": 4, "cells_per_stage": 1})
    longer = TrainingEvaluator(space, "digits", {**TINY, "epochs": 6, "filters": 8, "cells_per_stage": 1})
    works = [workload_of(longer), workload_of(own)]
    assert works[0] is not None
    assert works[1] is not None
    # Twice the filters are nearly four times the multiply-adds; the stem's grow by two only.
    assert 3 * 3 < relative_cost(works[0], works[1], space) < 3 * 4
    assert relative_cost(works[1], works[0], space) == pytest.approx(1 / relative_cost(works[0], works[1], space))


def test_shared_weights_keep_nothing() -> None:
    """Nobody knows how long a training takes where the search has none."""
    setup = prepare(configuration(searcher={"name": "random-ws", "epochs": 1}, finalists=2))
    assert kept(setup, [(50.0, 3.0)]) == 0.0
