"""What is said while a search goes on: lines of progress, an estimate, a log."""

from __future__ import annotations

import io
import logging

import pytest
from rich.console import Console

from naopt.execution import Estimate, LogObserver, Trial
from naopt.execution.progress import ProgressBar
from naopt.measurement import Measurement
from naopt.searchers import Objective
from tests.run.toys import toy


def trial(measurement: Measurement | None, index: int = 0) -> Trial:
    return Trial(index, 2, toy("fine"), "", "random", measurement=measurement)


FAILED = Measurement(status="failed", reason="RuntimeError: it broke", details="Traceback")


def test_without_a_terminal_there_is_a_line_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("naopt.execution.progress.time.monotonic", lambda: now[0])
    out = io.StringIO()
    with ProgressBar(100, [trial(Measurement({"cost": 5.0}))], Objective("cost", "min"), Console(file=out)) as bar:
        bar.asking(0)
        for seconds, measurement in [
            (1, Measurement({"cost": 4.0})),
            (10, FAILED),
            (11, Measurement({"cost": 3.25})),
            (70, Measurement({"cost": 9.0})),
        ]:
            now[0] = 100.0 + seconds
            bar.measured(trial(measurement))
    assert out.getvalue().splitlines() == [
        "3 of 100 evaluated, best cost 4, 1 failed, 8 min left",
        "5 of 100 evaluated, best cost 3.25, 1 failed, 28 min left",
    ]


def test_lines_say_what_there_is_to_say(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("naopt.execution.progress.time.monotonic", lambda: now[0])
    out = io.StringIO()
    with ProgressBar(1, [], Objective("score"), Console(file=out)) as bar:
        now[0] = 60.0
        bar.measured(trial(FAILED))
    assert out.getvalue() == "1 of 1 evaluated, 1 failed\n"


def took(estimate: Estimate, *seconds: float) -> None:
    for each in seconds:
        estimate.measured(trial(Measurement({"score": 1.0}, each)))


def test_the_first_child_is_timed() -> None:
    said: list[str] = []
    estimate = Estimate(2, 100, say=said.append)
    estimate.measured(trial(FAILED))
    took(estimate, 12.0, 13.0, 12.0, 14.0, 9.0)
    assert said == ["an evaluation takes 12 s: about 10 min for 100 with 2 workers"]


def test_an_estimate_that_was_far_off_is_said_again() -> None:
    said: list[str] = []
    took(Estimate(1, 110, done=10, say=said.append), 12.0, *[63.0] * 30)
    assert said == [
        "an evaluation takes 12 s: about 20 min for 100 with 1 worker",
        "an evaluation takes 53 s: about 84 min for the other 95 with 1 worker",
    ]


def test_nothing_is_said_of_what_is_over_soon(capsys: pytest.CaptureFixture[str]) -> None:
    said: list[str] = []
    took(Estimate(4, 20, say=said.append), 0.5, 0.5)
    took(Estimate(4, 20, say=said.append), 0.0)
    assert said == []
    took(Estimate(9, 2), 20.0)
    assert capsys.readouterr().err == "an evaluation takes 20 s: about 20 s for 2 with 2 workers\n"


def test_failures_are_logged_once_a_kind(caplog: pytest.LogCaptureFixture) -> None:
    log = LogObserver()
    with caplog.at_level(logging.DEBUG, "naopt"):
        log.asking(2)
        log.proposed([trial(None), trial(None)], {"loss": 1})
        for index, found in enumerate([FAILED, FAILED, Measurement({"score": 1.0})]):
            log.measured(trial(found, index))
        log.measured(trial(Measurement(status="diverged", reason="RuntimeError: loss")))
        log.exhausted()
    said = [(record.levelname, record.getMessage()) for record in caplog.records]
    failure = "evaluation 0, failed: RuntimeError: it broke (others of this kind are not shown)"
    assert said == [
        ("DEBUG", "round 2: proposing"),
        ("DEBUG", "round 2: 2 architectures proposed: {'loss': 1}"),
        ("WARNING", failure),
        ("DEBUG", "evaluation 0, failed:\nTraceback"),
        ("INFO", "evaluation 1, failed: RuntimeError: it broke"),
        ("DEBUG", "evaluation 1, failed:\nTraceback"),
        ("WARNING", "evaluation 0, diverged: RuntimeError: loss (others of this kind are not shown)"),
        ("INFO", "the searcher finds nothing new"),
    ]
