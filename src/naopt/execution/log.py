"""What a search writes to Python's log."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from naopt.execution.failures import without_numbers
from naopt.execution.observer import Observer
from naopt.execution.trial import Trial

_log = logging.getLogger(__name__)


class LogObserver(Observer):
    """Logs rounds (``DEBUG``), and evaluations that fail: the first of each kind as ``WARNING``, others as ``INFO``.

    A kind is the status with the reason up to its first colon: the type of an exception, mostly.
    """

    def __init__(self) -> None:
        self._kinds: set[tuple[str, str]] = set()

    def asking(self, round_index: int) -> None:
        """See ``Observer``."""
        _log.debug("round %d: proposing", round_index)

    def proposed(self, trials: Sequence[Trial], log: dict[str, Any]) -> None:
        """See ``Observer``."""
        _log.debug("round %d: %d architectures proposed: %s", trials[0].round, len(trials), log)

    def measured(self, trial: Trial) -> None:
        """See ``Observer``."""
        found = trial.measurement
        if found is None or found.ok:
            return
        kind = found.status, without_numbers(found.reason.partition(":")[0])
        more = "" if kind in self._kinds else " (others of this kind are not shown)"
        _log.log(logging.WARNING if more else logging.INFO, "%s: %s", _what(trial), found.reason + more)
        self._kinds.add(kind)
        if found.details:
            _log.debug("%s:\n%s", _what(trial), found.details)

    def exhausted(self) -> None:
        """See ``Observer``."""
        _log.info("the searcher finds nothing new")


def _what(trial: Trial) -> str:
    status = trial.measurement.status if trial.measurement is not None else ""
    return f"evaluation {trial.index}, {status}"
