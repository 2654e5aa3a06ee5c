"""How long a search will take, said as soon as it can be known."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable

from naopt.durations import in_words
from naopt.execution.observer import Observer
from naopt.execution.trial import Trial

_SHORT = 10.0
"""A search of fewer seconds is over before anybody has read how long it takes."""
_LOOKS = (1, 5, 20)
"""After how many children it is looked at how long they take."""
_OFF = 2.0
"""By which factor an estimate must be off to be said again."""


def to_stderr(line: str) -> None:
    """Writes a line to standard error."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


class Estimate(Observer):
    """Says, once the first child is measured, how long the search will take; again after a few more, if that was wrong.

    It goes by the seconds of children that were measured well. For evaluators that are not inline.

    Args:
        workers: how many children are measured at a time.
        budget: how many children there will be in all.
        done: how many of them were measured before.
        say: takes the line.
    """

    def __init__(self, workers: int, budget: int, done: int = 0, say: Callable[[str], None] = to_stderr) -> None:
        self._workers, self._children, self._say = workers, budget - done, say
        self._seconds: list[float] = []
        self._seen, self._said = 0, 0.0

    def measured(self, trial: Trial) -> None:
        """See ``Observer``."""
        self._seen += 1
        found = trial.measurement
        if found is None or not found.ok or found.seconds <= 0 or len(self._seconds) >= _LOOKS[-1]:
            return
        self._seconds.append(found.seconds)
        if len(self._seconds) not in _LOOKS:
            return
        each = statistics.fmean(self._seconds)
        if self._said and 1 / _OFF < each / self._said < _OFF:
            return
        left = self._children - (self._seen if self._said else 0)
        workers = min(self._workers, max(left, 1))
        seconds = each * left / workers
        if seconds < _SHORT:
            return
        which = f"the other {left}" if self._said else f"{left}"
        many = f"{workers} worker{'s' * (workers != 1)}"
        self._say(f"an evaluation takes {in_words(each)}: about {in_words(seconds)} for {which} with {many}")
        self._said = each
