"""What wants to know how a search goes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from naopt.execution.trial import Trial


class Observer:
    """A store, a progress bar, a callback. By default it takes no note."""

    def asking(self, round_index: int) -> None:
        """The searcher is about to be asked; that may take a while."""

    def proposed(self, trials: Sequence[Trial], log: dict[str, Any]) -> None:
        """A round was proposed; ``log`` is what the searcher says about it."""

    def measured(self, trial: Trial) -> None:
        """A trial was measured."""

    def exhausted(self) -> None:
        """The searcher finds nothing new: the search ends before its budget."""


class Observers(Observer):
    """Several observers, told in this order."""

    def __init__(self, *observers: Observer) -> None:
        self._observers = observers

    def asking(self, round_index: int) -> None:
        """See ``Observer``."""
        for observer in self._observers:
            observer.asking(round_index)

    def proposed(self, trials: Sequence[Trial], log: dict[str, Any]) -> None:
        """See ``Observer``."""
        for observer in self._observers:
            observer.proposed(trials, log)

    def measured(self, trial: Trial) -> None:
        """See ``Observer``."""
        for observer in self._observers:
            observer.measured(trial)

    def exhausted(self) -> None:
        """See ``Observer``."""
        for observer in self._observers:
            observer.exhausted()
