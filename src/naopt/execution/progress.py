"""Progress on standard error: a bar on a terminal, now and then a line elsewhere."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from naopt.execution.observer import Observer
from naopt.execution.time_left import TimeLeft, TimeLeftColumn
from naopt.execution.trial import Trial
from naopt.measurement import written
from naopt.problem import Objective, Problem

_FIRST, _EVERY = 5.0, 60.0
"""Seconds until the first line, and between lines."""


class ProgressBar(Observer):
    """Evaluations done, rate, best so far, failures and time left; a context manager.

    Args:
        budget: evaluations in all; those at cheaper levels count as what they cost.
        done: trials that were measured before.
        problem: tells the best, by its first objective, of what keeps its limits.
        console: where to draw; if it is no terminal, it gets a line a minute at most.
        workers: how many evaluations go on at a time.
    """

    def __init__(
        self,
        budget: int,
        done: Sequence[Trial],
        problem: Problem | Objective,
        console: Console | None = None,
        workers: int = 1,
    ) -> None:
        self._problem, self._budget = Problem.of(problem), budget
        self._objective = self._problem.objective
        self._console = console or Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TextColumn("best {task.fields[best]}"),
            TextColumn("failed {task.fields[failed]}"),
            TimeLeftColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._best: float | None = None
        self._shown = "-"
        self._done, self._failed, self._new = sum(trial.cost for trial in done), 0, 0
        self._spent = self._done
        self._started = time.monotonic()
        self._due = self._started + _FIRST
        self._left = TimeLeft(budget, self._done, workers)
        self._task = self._progress.add_task("search", total=budget, rate="", best="-", failed=0, left=self._left)
        self._progress.update(self._task, completed=self._done)
        for trial in done:
            self._note(trial)

    def _note(self, trial: Trial) -> None:
        if trial.measurement is None:
            return
        self._failed += not trial.measurement.ok
        scores = self._problem.scores(trial.measurement)
        score = None if scores is None else scores[0]
        if score is not None and (self._best is None or score > self._best):
            self._best = score
            self._shown = written(trial.measurement.metrics, self._objective.metric, 5)
        self._progress.update(self._task, best=self._shown, failed=self._failed)

    def asking(self, round_index: int) -> None:
        """Shows that the searcher is at work."""
        self._progress.update(self._task, description=f"round {round_index}: proposing")

    def proposed(self, trials: Sequence[Trial], log: dict[str, Any]) -> None:  # noqa: ARG002
        """Shows that evaluations are at work."""
        self._progress.update(self._task, description=f"round {trials[0].round}: evaluating")

    def measured(self, trial: Trial) -> None:
        """Moves on by one."""
        self._new += 1
        self._spent += trial.cost
        self._left.reached(self._spent)
        now = time.monotonic()
        rate = self._new / max(now - self._started, 1e-9)
        shown = f"{rate:.1f}/s" if rate >= 1 else f"{60 * rate:.1f}/min"
        self._progress.update(self._task, advance=trial.cost, rate=shown)
        self._note(trial)
        if not self._console.is_terminal and now >= self._due:
            self._due = now + _EVERY
            self._console.file.write(self._line() + "\n")
            self._console.file.flush()

    def _line(self) -> str:
        parts = [f"{self._spent:.1f}".removesuffix(".0") + f" of {self._budget} evaluated"]
        if self._best is not None:
            parts.append(f"best {self._objective.metric} {self._shown}")
        if self._failed:
            parts.append(f"{self._failed} failed")
        if self._spent < self._budget:
            parts.append(str(self._left))
        return ", ".join(parts)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()
