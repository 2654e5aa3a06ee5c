"""Finalists of searches that train their children: the best are trained longer, and the best of these is the pick."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

import naopt
from naopt.cli.app import run as command
from naopt.errors import InputError, RunStoppedError
from naopt.evaluators.presets import PRESETS
from naopt.evaluators.seeds import evaluation_seed, finalist_seed
from naopt.execution.trial import Trial
from naopt.measurement import Measurement
from naopt.problem import Objective, Problem
from naopt.report.page import render
from naopt.run import RunConfig, RunRecord, load_run, resume_run, start_run
from naopt.run.finalist_figures import finalist_figures
from naopt.run.finalist_training import finalist_evaluator
from naopt.run.order import finalists_among, with_finalist
from naopt.run.setup import prepare
from naopt.spaces import create_space
from tests.ranking.toys import TINY, MadeUpTraining, make_up_trainings
from tests.run.toys import write_table


@pytest.fixture
def training(monkeypatch: pytest.MonkeyPatch) -> type[MadeUpTraining]:
    for module in ("setup", "finalist_training"):
        monkeypatch.setattr(f"naopt.run.{module}.TrainingEvaluator", MadeUpTraining)
    return make_up_trainings(monkeypatch)


def configuration(**changes: Any) -> RunConfig:
    values = {"space": "nasbench201", "task": "digits", "searcher": "random", "training": TINY, "budget": 8}
    return RunConfig.from_values({**values, "finalists": 3, **changes})


def found(directory: Path, **changes: Any) -> RunRecord:
    return start_run(directory, configuration(**changes))


def test_the_best_are_trained_longer_with_another_seed(training: type[MadeUpTraining], tmp_path: Path) -> None:
    record = found(tmp_path / "run")
    searched, trained = training.asked[:8], training.asked[8:]
    chosen = sorted(record.trials, key=lambda t: -t.measurement.metrics["valid_acc"])[:3]  # type: ignore[union-attr]
    assert searched == [(t.architecture, evaluation_seed(0, t.architecture)) for t in record.trials]
    assert trained == [(t.architecture, finalist_seed(0, t.architecture)) for t in chosen]
    figures = finalist_figures(record)
    assert figures is not None
    assert record.best() is not None
    assert record.best().index == figures.rows[0].index  # type: ignore[union-attr]
    assert [row.trained for row in figures.rows] == sorted((row.trained or 0 for row in figures.rows), reverse=True)
    for row in figures.rows:
        own = record.trials[row.index].measurement
        assert own is not None
        assert own.metrics["valid_acc"] == row.search != row.trained
    signs = [((a.search > b.search) == (a.trained > b.trained)) for a, b in combinations(figures.rows, 2)]  # type: ignore[operator]
    assert figures.kendall_tau == pytest.approx((2 * sum(signs) - 3) / 3)
    assert (figures.ci95, figures.seconds, figures.search_seconds, figures.epochs) == (None, 1.5, 4.0, 4)
    assert record.trajectory()[-1] == max(row.search for row in figures.rows)


def test_a_stopped_run_trains_what_is_missing(
    training: type[MadeUpTraining], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    whole = found(tmp_path / "whole", finalists=5)
    monkeypatch.setattr(training, "asked", [])
    monkeypatch.setattr(training, "stop_after", 10)
    with pytest.raises(RunStoppedError, match="stopped after 2 of 5 finalists"):
        found(tmp_path / "run", finalists=5)
    monkeypatch.setattr(training, "stop_after", None)
    record = resume_run(tmp_path / "run")
    assert (record.finished, record.finalists, len(training.asked)) == (True, whole.finalists, 13)
    figures = finalist_figures(record)
    assert figures is not None
    assert figures.ci95 is not None
    assert figures.ci95[0] <= figures.kendall_tau <= figures.ci95[1]  # type: ignore[operator]


def test_show_and_report_say_what_they_gave(
    training: type[MadeUpTraining], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    training.failing.clear()
    record = found(tmp_path / "run", finalist_preset="digits-final")
    assert command(["show", str(tmp_path / "run")]) == 0
    out = capsys.readouterr().out
    assert "finalists:  3 trained longer, the best of them is best; valid_acc" in out
    assert "Kendall tau" in out
    assert command(["show", str(tmp_path / "run"), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)["finalists"]
    assert (document["preset"], document["epochs"], len(document["rows"])) == ("digits-final", 50, 3)
    page = render(record)
    assert "<h2>Finalists</h2>" in page
    assert "3 of 3 were trained with preset digits-final (50 epochs)" in page


def test_how_they_are_trained() -> None:
    def settings(**changes: Any) -> dict[str, Any]:
        setup = prepare(configuration(**changes))
        return finalist_evaluator(setup.config, setup.evaluator).settings.model_dump()

    own = settings(training={**TINY, "epochs": 3, "cosine_epochs": 5})
    assert own == {**own, **TINY, "epochs": 12, "cosine_epochs": 20}
    given = PRESETS["digits-final"].values
    preset = settings(finalist_preset="digits-final", training={**TINY, "image_size": 6})
    assert preset == {**preset, **given, "image_size": 6, "train_limit": None}
    free = settings(zero_cost=True)
    assert free["epochs"] == TINY["epochs"]


def test_ties_go_to_the_lower_loss_then_to_fewer_parameters_then_to_the_identity() -> None:
    space = create_space("nasbench201")
    rows = [(1.0, 0.5, 9), (1.0, 0.4, 9), (1.0, 0.4, 3), (1.0, 0.4, 3), (0.0, 0.0, 1)]
    trials = [
        Trial(
            index,
            0,
            space.architecture((5 - index,) + (0,) * 5 if index else (0,) * 6),
            str(index),
            "random",
            measurement=Measurement({"valid_acc": a, "valid_loss": b, "params": float(p)}, 1.0),
        )
        for index, (a, b, p) in enumerate(rows)
    ]
    order = finalists_among(trials, Problem.of(Objective("valid_acc")), 4)
    assert [trial.index for trial in order] == [3, 2, 1, 0]
    assert finalists_among(trials[::-1], Problem.of(Objective("valid_acc")), 4) == order


def test_a_finalist_lends_no_standard_error_to_what_the_search_measured() -> None:
    """Searches of an older naopt have none."""
    architecture = create_space("nasbench201").architecture((0,) * 6)
    trial = Trial(0, 0, architecture, "", "random", measurement=Measurement({"valid_acc": 50.0}))
    longer = Measurement({"valid_acc": 90.0, "valid_acc_se": 1.0, "params": 3.0, "params_se": 0.0})
    found = with_finalist(trial, longer).measurement
    assert found is not None
    assert found.metrics == {"valid_acc": 50.0, "params": 3.0, "params_se": 0.0}


def test_a_finished_search_may_be_given_finalists(training: type[MadeUpTraining], tmp_path: Path) -> None:
    whole = found(tmp_path / "whole", finalists=4)
    found(tmp_path / "run", finalists=0)
    for count in (2, 4):
        configuration_of(tmp_path / "run", finalists=count)
        record = resume_run(tmp_path / "run")
        assert (record.finished, len(record.finalists)) == (True, count)
    assert record.finalists == whole.finalists
    configuration_of(tmp_path / "run", finalists=5, finalist_preset="digits-final")
    with pytest.raises(InputError, match="its finalists were trained with other settings"):
        resume_run(tmp_path / "run")


def configuration_of(directory: Path, **changes: Any) -> None:
    path = directory / "config.toml"
    RunConfig.read(path).model_copy(update=changes).write(path)


def test_in_memory_and_in_python(training: type[MadeUpTraining], tmp_path: Path) -> None:
    evaluator = training(create_space("nasbench201"), "digits", TINY)
    options: dict[str, Any] = {"searcher": "random", "budget": 6, "finalists": 2}
    result = naopt.search(None, evaluator, **options)
    assert result.finished
    assert result.finalists is not None
    assert result.best.index == result.finalists.rows[0].index
    kept = naopt.search(None, evaluator, run=tmp_path / "run", **options)
    assert kept.finalists is not None
    assert [row.trained for row in kept.finalists.rows] == [row.trained for row in result.finalists.rows]
    more = naopt.search(None, evaluator, run=tmp_path / "run", **{**options, "budget": 9})
    chosen = load_run(tmp_path / "run")
    assert {t.index for t in finalists_among(chosen.trials, chosen.problem, 2)} <= chosen.finalists.keys()
    assert more.finished


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"metric": "valid_acc,params"}, "finalists '3': are compared by one objective"),
        ({"finalists": 0, "finalist_preset": "digits-final"}, "has a use only with --finalists"),
        ({"finalist_preset": "digits-fnal"}, "did you mean 'digits-final'"),
        ({"finalist_preset": "ptb-final"}, "is for text"),
        ({"metric": "macs"}, "which is not macs"),
    ],
)
def test_what_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        prepare(configuration(**changes))


def test_tables_and_functions_have_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = str(write_table(tmp_path / "toy.npz"))
    assert command(["search", "--table", table, "--metric", "score", "--finalists", "2"]) == 2
    assert "has a use only where networks are trained" in capsys.readouterr().err
    with pytest.raises(InputError, match="finalists '2': has a use only where networks are trained"):
        naopt.search({"width": [1, 2]}, lambda values: values["width"], finalists=2)
