"""What ``--history`` names: measurements of the same kind, or of another task or metric."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from naopt.files import at_home, is_there
from naopt.problem import Named
from naopt.tables import builtin_tables

FITTED = ".safetensors"
"""Ending of a file with fitted beliefs."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where measurements are, and of what.

    Attributes:
        place: a run's directory, a naopt-table or the name of a built-in one, a CSV file, or a file of beliefs.
        named: the metric that says something of another task, and its direction where the source knows none; ``None``
            for measurements of the search's own metric and task.
    """

    place: str
    named: Named | None = None

    @classmethod
    def parse(cls, text: str) -> Source:
        """``SOURCE`` or ``SOURCE:METRIC``, where the metric may have a goal (``min:loss``).

        A source that is there may have colons in its name; in one that is not, the first colon ends the name.

        Raises:
            InputError: no metric after the colon.
        """
        colons = [at for at, letter in enumerate(text) if letter == ":"]
        ends = [len(text), *reversed(colons)]
        at = next((end for end in ends if _is_source(text[:end])), min(ends))
        return cls(at_home(text)) if at == len(text) else cls(at_home(text[:at]), Named.parse(text[at + 1 :]))

    @property
    def own(self) -> bool:
        """Whether it has measurements of the search's own metric and task, which the searcher is told."""
        return self.named is None and not self.fitted

    @property
    def fitted(self) -> bool:
        """Whether it is a file of beliefs."""
        return self.place.endswith(FITTED)

    def absolute(self) -> Source:
        """The same with an absolute place, if it is a file or directory."""
        return Source(str(Path(self.place).resolve()), self.named) if is_there(self.place) else self

    def __str__(self) -> str:
        return self.place if self.named is None else f"{self.place}:{self.named}"

    @property
    def short(self) -> str:
        """Its name without folders."""
        return str(Source(Path(self.place).name, self.named))


def _is_source(text: str) -> bool:
    return is_there(at_home(text)) or text in builtin_tables()
