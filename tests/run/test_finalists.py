"""Finalists: the best by shared weights are trained alone, and the best of these is the result."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from naopt.cli.app import run as naopt
from naopt.errors import RunStoppedError
from naopt.execution.jobs import evaluation_seed
from naopt.run import load_run, resume_run
from tests.ranking.toys import MadeUpTraining, made_up, make_up_trainings, sharing_run


@pytest.fixture
def training(monkeypatch: pytest.MonkeyPatch) -> type[MadeUpTraining]:
    monkeypatch.setattr("naopt.run.finalist_training.TrainingEvaluator", MadeUpTraining)
    return make_up_trainings(monkeypatch)


def with_finalists(count: int) -> dict[str, Any]:
    return {"searcher": {"name": "random-ws", "epochs": 1, "finalists": count}}


def test_the_best_of_the_finalists_is_the_result(training: type[MadeUpTraining], tmp_path: Path) -> None:
    plain = sharing_run(tmp_path / "plain")
    record = sharing_run(tmp_path / "run", **with_finalists(3))
    assert record.finished
    chosen = plain.ranked()[:3]
    seeds = [evaluation_seed(0, trial.architecture) for trial in chosen]
    assert training.asked == list(zip([trial.architecture for trial in chosen], seeds, strict=True))
    gave = {t.text: made_up(t.architecture, seed) for t, seed in zip(chosen, seeds, strict=True)}
    ranked = record.ranked()
    assert [trial.text for trial in ranked[:3]] == sorted(gave, key=gave.__getitem__, reverse=True)
    assert [trial.text for trial in ranked[3:]] == [trial.text for trial in plain.ranked()[3:]]
    best = record.best()
    assert best is not None
    assert best.measurement is not None
    assert best.measurement.metrics["valid_acc"] == max(gave.values())
    assert {"shared_loss", "shared_acc"} < set(best.measurement.metrics)


def test_failed_finalists_are_no_results(training: type[MadeUpTraining], tmp_path: Path) -> None:
    order = sharing_run(tmp_path / "plain").ranked()
    training.failing.add(order[0].architecture)
    ranked = sharing_run(tmp_path / "run", **with_finalists(2)).ranked()
    assert [trial.text for trial in ranked[:2]] == [order[1].text, order[0].text]


def test_a_stopped_run_trains_what_is_missing(
    training: type[MadeUpTraining], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    whole = sharing_run(tmp_path / "whole", **with_finalists(3))
    monkeypatch.setattr(training, "asked", [])
    monkeypatch.setattr(training, "stop_after", 1)
    with pytest.raises(RunStoppedError, match="stopped after 1 of 3 finalists; go on with: naopt resume"):
        sharing_run(tmp_path / "run", **with_finalists(3))
    assert not load_run(tmp_path / "run").finished
    monkeypatch.setattr(training, "stop_after", None)
    record = resume_run(tmp_path / "run")
    assert record.finished
    assert len(training.asked) == 3
    assert [t.text for t in record.ranked()] == [t.text for t in whole.ranked()]
    assert record.finalists == whole.finalists


def test_show_says_which_were_trained(
    training: type[MadeUpTraining], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = sharing_run(tmp_path / "run", **with_finalists(2))
    best = record.best()
    assert best is not None
    assert best.measurement is not None
    capsys.readouterr()
    assert naopt(["show", str(tmp_path / "run")]) == 0
    value = f"{best.measurement.metrics['valid_acc']:.6g}"
    assert f"finalists:  2 trained stand-alone, the best of them is best; valid_acc {value}" in capsys.readouterr().out
