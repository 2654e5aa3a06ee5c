"""Searches over levels: what they store, count and show, and how they go on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import naopt
from naopt.bench import Comparison, run_trial, searcher_settings
from naopt.cli.app import run
from naopt.errors import InputError
from naopt.execution import Trial
from naopt.measurement import MetricInfo
from naopt.run import RunConfig, load_run, resume_run, start_run
from naopt.run.names import CHILDREN
from naopt.run.pick import Pick
from naopt.run.setup import prepare
from naopt.spaces import GenericSpace, Position
from naopt.store.history import read_history
from naopt.tables import Table, save_table
from tests.run.toys import Stop

SPACE = GenericSpace([Position(f"p{index}", tuple("abcd")) for index in range(4)], "levels")
TOKENS = np.array(list(np.ndindex(4, 4, 4, 4)), dtype=np.int64)
LATE = TOKENS @ np.array([7.0, 5.0, 3.0, 1.0]) + (TOKENS[:, 0] * TOKENS[:, 1]) % 5
METRICS = {"acc/1": 100 + LATE - TOKENS[:, 1] * 2.0, "acc/5": LATE, "other": -LATE}
TABLE = Table("toy", SPACE, TOKENS, METRICS, dict.fromkeys(METRICS, MetricInfo()))
LEVELS = ("acc/1", "acc/5")


@pytest.fixture
def file(tmp_path: Path) -> str:
    save_table(TABLE, tmp_path / "t.npz")
    return str(tmp_path / "t.npz")


def test_a_run_keeps_levels_and_never_takes_a_lower_one_for_a_result(
    file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "a"
    arguments = ["search", "--table", file, "--fidelities", "acc/1,acc/5", "--searcher", "hyperband", "--budget", "7"]
    assert run([*arguments, "--run", str(place)]) == 0
    record = load_run(place)
    assert record.objective.metric == "acc/5"
    assert record.finished
    assert record.problem.fidelity is not None
    assert record.problem.fidelity.costs == (0.2, 1.0)
    assert 7 <= record.spent < 8
    assert RunConfig.from_values(record.config.to_values()) == record.config
    lower = [trial for trial in record.trials if trial.level == 0]
    assert lower
    assert {(trial.cost, *trial.measurement.metrics) for trial in lower if trial.measurement} == {(0.2, "acc/1")}
    twice = [t for t in record.trials if t.level is None and any(t.architecture == low.architecture for low in lower)]
    assert twice
    assert {trial.cost for trial in twice} == {0.8}
    full = [trial.measurement.metrics["acc/5"] for trial in record.trials if trial.level is None and trial.measurement]
    best = record.best()
    assert best is not None
    assert best.measurement is not None
    assert best.measurement.metrics["acc/5"] == max(full)
    assert len(record.ranked()) == len(full)
    with pytest.raises(InputError, match="it was measured at a cheaper level only"):
        Pick(index=lower[0].index).of(record)
    assert len(read_history([str(place)], record.space, record.objective)) == len(full)
    shown = f"evaluated:  {len(record.trials)} for {record.spent:.1f} of 7 full ones ({len(lower)} acc/1, "
    assert shown in capsys.readouterr().out


@pytest.mark.parametrize("searcher", ["hyperband", "asha"])
def test_a_search_that_was_cut_off_goes_on_as_if_it_had_not_been(file: str, tmp_path: Path, searcher: str) -> None:
    config = RunConfig(table=file, fidelities=LEVELS, searcher=searcher, budget=6)
    whole = start_run(tmp_path / "whole", config)
    for results in (3, 9):
        place = tmp_path / str(results)
        with pytest.raises(KeyError, match="killed"):
            start_run(place, config, observers=[Stop(results)])
        assert not load_run(place).finished
        assert resume_run(place).trials == whole.trials
    assert load_run(tmp_path / "whole").trials == whole.trials


def test_searchers_that_know_no_levels_search_as_if_there_were_none(file: str, tmp_path: Path) -> None:
    config = RunConfig(table=file, metric="acc/5", searcher="evolution", budget=25)
    plain = start_run(tmp_path / "plain", config)
    levels = start_run(tmp_path / "levels", config.model_copy(update={"fidelities": LEVELS}))
    assert levels.trials == plain.trials
    assert levels.rounds == plain.rounds
    assert "fidelity" not in plain.meta
    assert plain.spent == 25


def test_python_and_comparisons_have_them_too() -> None:
    found = naopt.search(None, TABLE, fidelities=LEVELS, searcher="asha", budget=5)
    assert found.best is not None
    assert found.best.metrics["acc/5"] == max(trial.value for trial in found.trials if trial.value is not None)
    assert {trial.level for trial in found.trials} == {0, None}
    comparison = Comparison(
        TABLE, "acc/5", "acc/5", searcher_settings(["hyperband", "random"]), budget=12, trials=1, every=4,
        fidelities=LEVELS,
    )  # fmt: skip
    trial = run_trial(comparison, "hyperband", 0)
    assert trial.queries > 12
    assert all(query <= 12 for query, _ in trial.selected)
    assert len(trial.search_metric) == 3
    plain = Comparison(TABLE, "acc/5", "acc/5", searcher_settings(["random"]), budget=12, trials=1, every=4)
    assert run_trial(comparison, "random", 0).selected == run_trial(plain, "random", 0).selected


def test_what_is_no_level_is_refused(file: str) -> None:
    def refused(rule: str, **changes: object) -> None:
        with pytest.raises(InputError, match=rule):
            prepare(RunConfig.parse({"table": file, "fidelities": LEVELS, **changes}, "option"))

    refused("must end with the metric that is searched by, other", metric="other")
    refused("are for one objective", metric="acc/5,other")
    refused("is a limit that has to be measured", max={"other": 1.0}, known=("none",))
    refused("have a use only with --fidelities", fidelities=(), fidelity_costs=(1, 2))
    refused("needs them: give --fidelities", fidelities=(), searcher="bohb")
    refused("knows no fidelities", searcher_settings={"preset": "joint"})
    with pytest.raises(InputError, match="have a use only with a table, or with training"):
        naopt.search(SPACE, lambda _: 1.0, fidelities=LEVELS)
    with pytest.raises(InputError, match="setting '1': must be KEY=VALUE"):
        prepare(RunConfig(task="digits", fidelities=("1", "3")))


TRAINED = RunConfig(
    task="digits", space="conv-cell", space_options={"nodes": 2}, fidelities=("image_size=4", "epochs=1"),
    engine="inline", searcher="asha", searcher_settings={"eta": 2}, budget=3,
    training={"epochs": 2, "train_limit": 40, "valid_limit": 40, "batch_size": 20, "filters": 2, "cells_per_stage": 1},
)  # fmt: skip


def test_trainings_have_levels_and_go_on_from_their_checkpoints(tmp_path: Path) -> None:
    whole = start_run(tmp_path / "whole", TRAINED)
    assert whole.problem.fidelity is not None
    assert whole.problem.fidelity.metrics == ("valid_acc@image_size=4", "valid_acc@epochs=1", "valid_acc")
    assert whole.problem.fidelity.apart == 1
    assert {trial.level for trial in whole.trials} == {0, 1, None}
    assert all(trial.measurement is not None and trial.measurement.ok for trial in whole.trials)
    best = whole.best()
    assert best is not None
    assert best.level is None
    stopped = {trial.architecture for trial in whole.trials if trial.level == 1}
    complete = {trial.architecture for trial in whole.trials if trial.level is None}
    assert len(list((tmp_path / "whole" / CHILDREN).iterdir())) == len(stopped - complete)
    for results in (2, 5):
        place = tmp_path / str(results)
        with pytest.raises(KeyError, match="killed"):
            start_run(place, TRAINED, observers=[Stop(results)])
        resumed = resume_run(place)
        assert [timeless(trial) for trial in resumed.trials] == [timeless(trial) for trial in whole.trials]
        assert load_run(place).problem.fidelity == whole.problem.fidelity


def timeless(trial: Trial) -> Trial:
    assert trial.measurement is not None
    return replace(trial, measurement=replace(trial.measurement, seconds=0.0))


@pytest.mark.parametrize("budget", [1, 2, 3, 5])
@pytest.mark.parametrize("costs", [(1, 2), (9, 10), (1, 100)])
def test_the_smallest_budget_measures_something_in_full(budget: int, costs: tuple[float, float]) -> None:
    """The first random architectures cost half of it at most, where one does."""
    found = naopt.search(None, TABLE, fidelities=LEVELS, fidelity_costs=costs, budget=budget)
    assert found.best is not None
    assert found.best.level is None
    cheap = sum(trial.level == 0 for trial in found.trials if trial.origin == "random")
    assert cheap <= max(1, budget * costs[1] / costs[0] / 2)


def test_where_little_is_known_the_best_goes_on() -> None:
    """With fewer cheap measurements than a process needs, what was first is not better than what was best."""
    found = naopt.search(None, TABLE, fidelities=LEVELS, fidelity_costs=(1, 3), budget=3, seed=4)
    (metric,) = [name for name in LEVELS if name != LEVELS[-1]]
    cheap = [trial for trial in found.trials if trial.level == 0 and trial.origin == "random"]
    promoted = next(trial for trial in found.trials if trial.origin == "promotion")
    best = max(cheap, key=lambda trial: trial.metrics[metric])
    assert len({trial.metrics[metric] for trial in cheap}) > 1
    assert promoted.architecture == best.architecture != cheap[0].architecture
