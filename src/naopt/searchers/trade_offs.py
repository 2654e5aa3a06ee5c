"""What searchers for several objectives share: an order by fronts, directions, and a scale that makes them alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from naopt.errors import UnknownNameError
from naopt.latent.schedule import scheduled
from naopt.measurement import Measurement
from naopt.metrics.dominance import crowding, non_dominated_ranks
from naopt.metrics.scale import exponents, scaled
from naopt.problem import Problem
from naopt.spaces import Architecture

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

_GROWTH = 1.2
_SMOOTH = 0.05
"""Weight of the sum beside the worst objective (augmented Chebyshev; Knowles 2006)."""


def crowded(points: Array, ranks: NDArray[np.int64]) -> Array:
    """Crowding of points ``(n, k)``, each within the points of its rank ``(n,)``: ``(n,)``."""
    found, safe = np.zeros(len(points)), scaled(points, exponents(points))
    for rank in np.unique(ranks):
        members = np.flatnonzero(ranks == rank)
        found[members] = crowding(safe[members])
    return found


def by_fronts(points: Array, ranks: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
    """Indices of points ``(n, k)``, best first: by front, then the less crowded; of equal ones the earlier.

    Deb et al. 2002, section III: the crowded-comparison operator.

    Args:
        points: larger is better.
        ranks: ``(n,)``, if they are not those of non-dominated sorting.
    """
    if not len(points):
        return np.empty(0, dtype=np.int64)
    ranks = non_dominated_ranks(points) if ranks is None else ranks
    return np.lexsort((-crowded(points, ranks), ranks))


def directions(objectives: int, count: int) -> Array:
    """Weights ``(count, objectives)``, each row positive with sum 1, spread evenly over all there are.

    Hammersley points between 0 and 1, sorted, cut that range into as many parts as there are objectives. Of two
    objectives they are equally spaced, the outermost half a space from the ends: an end alone would be one objective.
    """
    from scipy.stats.qmc import Halton

    first = (np.arange(count) + 0.5) / count
    rest = Halton(objectives - 2, scramble=False).random(count + 1)[1:] if objectives > 2 else np.empty((count, 0))
    cuts = np.sort(np.column_stack([first, rest]), axis=1)
    return np.diff(cuts, axis=1, prepend=0.0, append=1.0)


def linear(values: Array, weights: Array) -> float:
    """The weighted sum of values ``(k,)``."""
    return float(values @ weights)


def chebyshev(values: Array, weights: Array) -> float:
    """How far values ``(k,)`` are from 1 in the worst weighted objective, negative; plus 0.05 of the sum of all."""
    missing = weights * (1 - values)
    return -float(missing.max() + _SMOOTH * missing.sum())


@dataclass(frozen=True, slots=True, eq=False)
class Scale:
    """What maps each objective to 0 at ``low`` and 1 at ``high``, both ``(k,)``, larger is better."""

    low: Array
    high: Array

    @classmethod
    def of(cls, problem: Problem, told: Sequence[tuple[Architecture, Measurement]], given: Mapping[str, Range]) -> Scale:
        """Ranges that are given, and else those between the worst and the best of what was told.

        Of what was told only the first part counts, on a schedule on which it grows by a fifth, so that the scale moves
        seldom.

        Raises:
            UnknownNameError: a range of what is no objective.
        """
        names = [objective.metric for objective in problem.objectives]
        for name in given:
            if name not in names:
                raise UnknownNameError("scale, objective", name, names)
        some = told[: scheduled(len(told), _GROWTH)] if told else ()
        points = [scores for _, m in some if (scores := problem.scores(m)) is not None]
        array = np.array(points, dtype=np.float64).reshape(len(points), len(names))
        low, high = (array.min(axis=0), array.max(axis=0)) if points else (np.zeros(len(names)), np.ones(len(names)))
        for index, objective in enumerate(problem.objectives):
            if objective.metric in given:
                ends = [objective.sign * end for end in given[objective.metric]]
                low[index], high[index] = min(ends), max(ends)
        return cls(low, high)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Scale) and bool((self.low == other.low).all() and (self.high == other.high).all())

    def __hash__(self) -> int:
        return hash((*self.low.tolist(), *self.high.tolist()))

    def __call__(self, scores: Sequence[float]) -> Array:
        """Scores ``(k,)`` of one architecture on the scale; an objective in which all were alike is 0."""
        table = np.array([scores, self.low, self.high], dtype=np.float64)
        values, low, high = scaled(table, exponents(table))
        spread = high - low
        return np.where(spread > 0, (values - low) / np.where(spread > 0, spread, 1), 0.0)


Range = tuple[float, float]
"""Two different ends of a metric's values, in its unit."""
