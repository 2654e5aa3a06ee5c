"""How long evaluations take that are only looked up."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from naopt.errors import InputError
from naopt.spaces import Architecture
from naopt.tables import Table

_PURPOSE = 0x64757261
"""Sets the randomness of durations apart from that of noise."""

_LOG_NORMAL = "lognormal:"

Clock = Callable[[Architecture], float]
"""From an architecture to the time that its evaluation takes."""


class Durations(ABC):
    """Simulated times of evaluations."""

    @property
    @abstractmethod
    def text(self) -> str:
        """As the command line has it."""

    @abstractmethod
    def unit(self, table: Table) -> str:
        """Of the times. Raises ``InputError`` for a table that does not say how long an evaluation takes."""

    @abstractmethod
    def clock(self, table: Table, seed: int) -> Clock:
        """The times of a search with this seed."""


@dataclass(frozen=True)
class EqualDurations(Durations):
    """Every evaluation takes 1, a query."""

    @property
    def text(self) -> str:
        """See ``Durations``."""
        return "equal"

    def unit(self, table: Table) -> str:  # noqa: ARG002
        """See ``Durations``."""
        return "queries"

    def clock(self, table: Table, seed: int) -> Clock:  # noqa: ARG002
        """See ``Durations``."""
        return lambda _: 1.0


@dataclass(frozen=True)
class LogNormalDurations(Durations):
    """Log-normal times, drawn from the seed of the search and the architecture: the same for every searcher and crew.

    Attributes:
        sigma: standard deviation of the logarithm.
        median: in seconds.

    Raises:
        InputError: a negative ``sigma``, a ``median`` that is not positive, or either not finite.
    """

    sigma: float
    median: float = 1.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.sigma) and self.sigma >= 0 and math.isfinite(self.median) and self.median > 0):
            raise InputError("durations", self.text, "needs a sigma of at least 0 and a positive median")

    @property
    def text(self) -> str:
        """See ``Durations``."""
        return f"{_LOG_NORMAL}{self.sigma:g}:{self.median:g}"

    def unit(self, table: Table) -> str:  # noqa: ARG002
        """See ``Durations``."""
        return "s"

    def clock(self, table: Table, seed: int) -> Clock:  # noqa: ARG002
        """See ``Durations``. numpy promises to keep the hash that the numbers come from, so they stay as they are."""
        normal = NormalDist(math.log(self.median), self.sigma) if self.sigma else None

        def seconds(architecture: Architecture) -> float:
            if normal is None:
                return self.median
            drawn = np.random.SeedSequence([seed, _PURPOSE], spawn_key=architecture.identity).generate_state(1)[0]
            return math.exp(normal.inv_cdf((int(drawn) + 0.5) / 2**32))

        return seconds


@dataclass(frozen=True)
class ColumnDurations(Durations):
    """Times from a column of the table, in its unit; an architecture without a row takes none.

    Attributes:
        column: positive in every row.
    """

    column: str

    @property
    def text(self) -> str:
        """See ``Durations``."""
        return self.column

    def unit(self, table: Table) -> str:
        """See ``Durations``."""
        unit = table.info(self.column).unit
        values = table.values(self.column)
        wrong = np.flatnonzero(~(np.isfinite(values) & (values > 0)))
        if len(wrong):
            rule = f"is {values[wrong[0]]:g} in row {wrong[0]} of table {table.name}; it must be positive in all rows"
            raise InputError("durations", self.column, rule)
        return unit

    def clock(self, table: Table, seed: int) -> Clock:  # noqa: ARG002
        """See ``Durations``."""
        values = table.values(self.column)

        def time(architecture: Architecture) -> float:
            row = table.row(architecture)
            return 0.0 if row is None else float(values[row])

        return time


def parse_durations(text: str) -> Durations:
    """``lognormal:SIGMA``, ``lognormal:SIGMA:MEDIAN_SECONDS`` or the name of a column.

    Raises:
        InputError: numbers that are none, or out of range.
    """
    if not text.startswith(_LOG_NORMAL):
        return ColumnDurations(text)
    try:
        numbers = [float(part) for part in text.removeprefix(_LOG_NORMAL).split(":")]
    except ValueError:
        numbers = []
    if not 1 <= len(numbers) <= 2:
        raise InputError("durations", text, "must read lognormal:SIGMA, lognormal:SIGMA:MEDIAN_SECONDS or COLUMN")
    return LogNormalDurations(*numbers)
