"""Progress on standard error, where that is a terminal."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from naopt.execution.observer import Observer
from naopt.execution.trial import Trial
from naopt.searchers.base import Objective


class ProgressBar(Observer):
    """Evaluations done, rate, best so far, failures and time left; a context manager.

    Args:
        budget: evaluations in all.
        done: trials that were measured before.
        objective: tells the best.
        console: where to draw; nothing is drawn if it is no terminal.
    """

    def __init__(
        self, budget: int, done: Sequence[Trial], objective: Objective, console: Console | None = None
    ) -> None:
        self._objective = objective
        self._console = console or Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TextColumn("best {task.fields[best]}"),
            TextColumn("failed {task.fields[failed]}"),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._best: float | None = None
        self._failed = self._new = 0
        self._started = time.monotonic()
        self._task = self._progress.add_task("search", total=budget, completed=len(done), rate="", best="-", failed=0)
        for trial in done:
            self._note(trial)

    def _note(self, trial: Trial) -> None:
        if trial.measurement is None:
            return
        self._failed += not trial.measurement.ok
        score = self._objective.score(trial.measurement)
        if score is not None and (self._best is None or score > self._best):
            self._best = score
        best = "-" if self._best is None else f"{self._best if self._objective.goal == 'max' else -self._best:.5g}"
        self._progress.update(self._task, best=best, failed=self._failed)

    def asking(self, round_index: int) -> None:
        """Shows that the searcher is at work."""
        self._progress.update(self._task, description=f"round {round_index}: proposing")

    def proposed(self, trials: Sequence[Trial], log: dict[str, Any]) -> None:  # noqa: ARG002
        """Shows that evaluations are at work."""
        self._progress.update(self._task, description=f"round {trials[0].round}: evaluating")

    def measured(self, trial: Trial) -> None:
        """Moves on by one."""
        self._new += 1
        rate = self._new / max(time.monotonic() - self._started, 1e-9)
        self._progress.update(self._task, advance=1, rate=f"{rate:.1f}/s" if rate >= 1 else f"{60 * rate:.1f}/min")
        self._note(trial)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()
