"""What every part of a run can say and do."""

from __future__ import annotations

from abc import ABC, abstractmethod


class Phase(ABC):
    """A part of a run that knows whether it is done and how to go on. Knows no command."""

    @property
    @abstractmethod
    def done(self) -> bool:
        """Whether nothing of it is left."""

    @property
    @abstractmethod
    def reached(self) -> str:
        """How far it is, as it follows the word "stopped": ``after 12 of 60 evaluations``."""

    def check(self) -> None:  # noqa: B027
        """Makes what it begins with, before anything is written. Raises ``InputError`` for what cannot be used."""

    @abstractmethod
    def carry_out(self) -> None:
        """Does what is left of it, from wherever it stands.

        Raises:
            KeyboardInterrupt: a signal came; what was done is stored.
            RunStoppedError: it stopped for another reason, and can go on later.
        """
