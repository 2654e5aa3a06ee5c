"""Callbacks of a search, and the record of a search that is kept in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from naopt.api.result import Result
from naopt.api.trials import view_of
from naopt.evaluators.base import Evaluator
from naopt.execution import Deadline, TimeIsUpError
from naopt.execution.observer import Observer
from naopt.execution.trial import Trial
from naopt.measurement import Measurement
from naopt.run.finalist_training import about_finalists, train_finalists
from naopt.run.record import RunRecord
from naopt.run.setup import Setup

Callback = Callable[[Result], object]
"""Called after each evaluation with what was found so far."""


class StopSearch(Exception):  # noqa: N818 - an instruction rather than an error
    """To be raised by a callback: the search ends here, and gives what it has found."""


class Memory(Observer):
    """Keeps trials as they come.

    Attributes:
        record: of the search, which grows.
    """

    def __init__(self, setup: Setup, past: Sequence[Trial] = (), directory: Path | None = None) -> None:
        surrogates = sorted(setup.evaluator.surrogates)
        self._trials, self._rounds = list(past), list[dict[str, Any]]()
        self._finalists: dict[int, Measurement] = {}
        remarks = list(setup.evaluator.remarks)
        self.meta: dict[str, Any] = {"surrogates": surrogates, "remarks": remarks, "seconds": 0.0}
        self.record = RunRecord(
            directory or Path(),
            setup.config,
            setup.space,
            setup.problem,
            self._trials,
            self._rounds,
            self.meta,
            self._finalists,
        )

    def proposed(self, trials: Sequence[Trial], log: dict[str, Any]) -> None:
        """See ``Observer``."""
        self._trials += trials
        self._rounds.append(log)

    def measured(self, trial: Trial) -> None:
        """See ``Observer``."""
        self._trials[trial.index] = trial

    def exhausted(self) -> None:
        """See ``Observer``."""
        self.meta["exhausted"] = True

    @contextmanager
    def until_finalists(self, deadline: Deadline) -> Iterator[None]:
        """Measuring may end before the deadline, for its finalists. Raises ``TimeIsUpError`` if it is over, too."""
        try:
            yield
        except TimeIsUpError:
            deadline.check()
            self.meta["measuring_ended"] = self.record.config.time

    def train_finalists(self, evaluator: Evaluator, deadline: Deadline) -> None:
        """Trains the finalists of the search, which has ended. Raises ``TimeIsUpError`` when time is up."""
        self.meta |= about_finalists(evaluator, self.record)
        for index, found in train_finalists(evaluator, self.record, self.record.config.workers):
            self._finalists[index] = found
            deadline.check()


class Callbacks(Observer):
    """Calls functions with the result so far, after each evaluation.

    Args:
        callbacks: in this order. What they raise ends the search.
        result: what they are called with.
    """

    def __init__(self, callbacks: Sequence[Callback], result: Result) -> None:
        self._callbacks, self._result = callbacks, result

    def measured(self, trial: Trial) -> None:
        """See ``Observer``."""
        self._result.latest = view_of(trial, self._result.space, self._result.objective)
        for callback in self._callbacks:
            callback(self._result)
