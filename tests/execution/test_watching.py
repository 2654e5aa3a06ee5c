"""What is said while a search goes on: lines of progress, an estimate, a log."""

from __future__ import annotations

import io
import logging

import pytest
from rich.console import Console

from naopt.execution import Estimate, LogObserver, Trial
from naopt.execution.progress import ProgressBar
from naopt.execution.time_left import TimeLeft
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


def test_the_time_left_is_that_of_the_whole_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """8 of 20 after 242 s, the last of them quick: a window of half a minute would say 24 s."""
    now = [0.0]
    monkeypatch.setattr("naopt.execution.time_left.time.monotonic", lambda: now[0])
    left = TimeLeft(20)
    assert left.seconds is None
    for done, seconds in enumerate((60, 120, 180, 230, 234, 237, 240, 242), start=1):
        now[0] = seconds
        left.reached(done)
    assert left.seconds == pytest.approx(242 / 8 * 12)
    assert str(left) == "6 min left"
    now[0] = 252
    assert left.seconds == pytest.approx(242 / 8 * 12 - 10)
    now[0] = 3000  # the ninth takes as long as all before it together, and more
    assert left.seconds == pytest.approx(3000 / 9 * 11)
    left.reached(9)
    assert left.seconds == pytest.approx(3000 / 9 * 11)
    left.reached(20)
    assert left.seconds == 0


@pytest.mark.parametrize("workers", [1, 4])
def test_what_was_done_before_and_what_others_do_counts(monkeypatch: pytest.MonkeyPatch, workers: int) -> None:
    now = [0.0]
    monkeypatch.setattr("naopt.execution.time_left.time.monotonic", lambda: now[0])
    left = TimeLeft(100, 60, workers)
    for done in range(1, 9):  # each takes a minute, so many go on at a time
        now[0] = 60.0 * -(-done // workers)
        left.reached(60 + done)
        if done in (1, 8):
            assert left.seconds == pytest.approx(60 * (40 - done) / workers)


def test_bars_show_it(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("naopt.execution.time_left.time.monotonic", lambda: now[0])
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=200, color_system=None)
    with ProgressBar(20, [], Objective("score"), console) as bar:
        for index, now[0] in enumerate((60.0, 120.0, 180.0, 230.0, 234.0, 237.0, 240.0, 242.0)):
            bar.measured(trial(Measurement({"score": 1.0}), index))
    assert "8/20" in out.getvalue()
    assert "6 min left" in out.getvalue().splitlines()[-2]


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
