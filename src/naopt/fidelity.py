"""Cheaper versions of an evaluation: what they are called, and what they cost."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from naopt.errors import InputError

_LEAST = 1e-6
"""Of a full evaluation, that going on by one level costs at least: a budget of cheaper ones would never end."""
_NUMBER = re.compile(r"\d+(?:\.\d+)?")


@dataclass(frozen=True, slots=True)
class Fidelity:
    """Levels at which an architecture can be measured, the cheapest first; the last is the full evaluation.

    A level is a whole number from 0; where one may be left out, ``None`` is the full one. Each has a metric of its own,
    so that what was measured at a lower level never passes for a result: it lacks the objective. A level goes on from
    those below it, so an architecture that was measured at one pays the difference; the first ``apart`` are evaluations
    of their own, from which nothing goes on.

    Attributes:
        metrics: that stand for the objective at each level; the last is the objective's own.
        costs: of each level, rising, in full evaluations: the last is 1.
        apart: how many of the cheapest are evaluations of their own.

    Raises:
        InputError: fewer than two levels, one that is named twice, or costs that do not fit.
    """

    metrics: tuple[str, ...]
    costs: tuple[float, ...]
    apart: int = 0

    def __post_init__(self) -> None:
        named = ", ".join(self.metrics)
        if len(self.metrics) < 2 or len(set(self.metrics)) != len(self.metrics):
            raise InputError("fidelities", named, "must be two or more, the cheapest first and the full one last")
        shown = ", ".join(f"{cost:g}" for cost in self.costs)
        if len(self.costs) != len(self.metrics):
            raise InputError("fidelity costs", shown, f"must be one for each of {named}")
        rising = all(low < high for low, high in zip(self.costs, self.costs[1:], strict=False))
        if not rising or self.costs[0] <= 0 or not math.isfinite(self.costs[-1]):
            raise InputError("fidelity costs", shown, "must be numbers above 0 that rise from level to level")
        shares = tuple(cost / self.costs[-1] for cost in self.costs)
        if min(high - low for low, high in zip((0.0, *shares), shares, strict=False)) < _LEAST:
            raise InputError(
                "fidelity costs", shown, f"must rise by {_LEAST:g} of the full one at least from level to level"
            )
        object.__setattr__(self, "costs", shares)

    @classmethod
    def parse(cls, names: Sequence[str], costs: Sequence[float] = ()) -> Fidelity:
        """From the names of levels and what they cost, in any unit.

        Without costs they are the numbers in which the names differ: ``valid_4``, ``valid_12``. Raises ``InputError``
        where names differ in anything else, and as the class.
        """
        names = tuple(name.strip() for name in names)
        return cls(names, tuple(costs) or (numbers_of(names) if len(names) > 1 else ()))

    def __len__(self) -> int:
        return len(self.metrics)

    @property
    def full(self) -> int:
        """The last level."""
        return len(self.metrics) - 1

    def number(self, level: int | None) -> int:
        """A level that may have been left out."""
        return self.full if level is None else level

    def step(self, level: int, before: int = -1) -> float:
        """What it costs to go on to a level from one ``before``, -1 for an architecture that was not measured."""
        if before < self.apart or level < self.apart:
            return self.costs[level] if level > before else 0.0
        return max(0.0, self.costs[level] - self.costs[before])

    @property
    def least(self) -> float:
        """What the cheapest step costs."""
        return min(self.step(level, level - 1) for level in range(len(self)))


def numbers_of(names: Sequence[str]) -> tuple[float, ...]:
    """The one number in which all names differ. Raises ``InputError`` if they differ in anything else."""
    frames = {tuple(_NUMBER.split(name)) for name in names}
    columns = list(zip(*(_NUMBER.findall(name) for name in names), strict=False)) if len(frames) == 1 else []
    differing = [column for column in columns if len(set(column)) > 1]
    if len(differing) != 1:
        rule = "say nothing of costs by one number in each; give --fidelity-costs, such as 12,200"
        raise InputError("fidelities", ", ".join(names), rule)
    return tuple(map(float, differing[0]))
