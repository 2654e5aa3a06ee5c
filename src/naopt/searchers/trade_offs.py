"""What searchers for several objectives share: an order by fronts, directions, and a scale that makes them alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from naopt.errors import UnknownNameError
from naopt.latent.schedule import scheduled
from naopt.latent.targets import Targets
from naopt.measurement import Measurement
from naopt.metrics.dominance import crowding, non_dominated_ranks
from naopt.metrics.scale import exponent, exponents, scaled
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
    """Weights ``(count, objectives)``, at least 0 with sum 1, spread evenly: of two objectives equally spaced.

    Every objective alone, if there are more directions than objectives; and Hammersley points between 0 and 1, which,
    sorted, cut that range into as many parts as there are objectives.
    """
    from scipy.stats.qmc import Halton

    corners = np.eye(objectives) if count > objectives else np.empty((0, objectives))
    inner = count - len(corners)
    first = np.arange(1, inner + 1) / (inner + 1)
    rest = Halton(objectives - 2, scramble=False).random(inner + 1)[1:] if objectives > 2 else np.empty((inner, 0))
    cuts = np.sort(np.column_stack([first, rest]), axis=1)
    return np.concatenate([corners, np.diff(cuts, axis=1, prepend=0.0, append=1.0)])


def linear(values: Array, weights: Array) -> Array:
    """The weighted sums ``(n,)`` of values ``(n, k)``."""
    found: Array = values @ weights
    return found


def chebyshev(values: Array, weights: Array) -> Array:
    """How far values ``(n, k)`` are from 1 in the worst weighted objective and 0.05 of the sum: ``(n,)``, negative."""
    missing = weights * (1 - values)
    found: Array = -(missing.max(axis=1) + _SMOOTH * missing.sum(axis=1))
    return found


Range = tuple[float, float]
"""Two different ends of a metric's values, in its unit."""


@dataclass(frozen=True, slots=True)
class Scale:
    """What maps each objective to 0 for the worst and 1 for the best, of what was told or by ends that are given.

    Of what was told ranks count, as their normal scores: one very bad value does not make all others alike. In between
    and beyond it is linear. Only the first part counts, on a schedule on which it grows by a fifth, so that the scale
    moves seldom.

    Attributes:
        ends: of scores, larger is better, by objective; ``None`` where what was told decides.
        targets: the normal scores, by objective; ``None`` where ends are given, or nothing was told.
        told: on how much it depends; two scales of one history are the same if this is.
    """

    ends: tuple[Range | None, ...]
    targets: tuple[Targets | None, ...]
    told: int

    @classmethod
    def of(
        cls, problem: Problem, told: Sequence[tuple[Architecture, Measurement]], given: Mapping[str, Range]
    ) -> Scale:
        """The scale after so much was told. Raises ``UnknownNameError`` for given ends of what is no objective."""
        names = [objective.metric for objective in problem.objectives]
        for name in given:
            if name not in names:
                raise UnknownNameError("scale, objective", name, names)
        ends: list[Range | None] = []
        for objective in problem.objectives:
            low, high = sorted(objective.sign * end for end in given.get(objective.metric, (0.0, 0.0)))
            ends.append((low, high) if objective.metric in given else None)
        count = scheduled(len(told), _GROWTH) if told and None in ends else 0
        points = [scores for _, m in told[:count] if (scores := problem.scores(m)) is not None]
        table = np.array(points, dtype=np.float64).reshape(len(points), len(ends))
        fitted = (
            None if each is not None or not points else Targets.fit(column, "rank")
            for each, column in zip(ends, table.T, strict=True)
        )
        return cls(tuple(ends), tuple(fitted), count)

    def __call__(self, scores: Array) -> Array:
        """Scores ``(n, k)`` on the scale; an objective in which all that was told is alike is 0."""
        return np.stack([self._mapped(index, scores[:, index]) for index in range(scores.shape[1])], axis=1)

    def _mapped(self, index: int, scores: Array) -> Array:
        ends, targets = self.ends[index], self.targets[index]
        if ends is None and targets is not None:
            ends, scores = (float(targets.targets[0]), float(targets.targets[-1])), targets.transform(scores)
        if ends is None or ends[0] == ends[1]:
            return np.zeros(len(scores))
        unit = exponent([*scores, *ends])
        values, (low, high) = scaled(scores, unit), scaled(ends, unit)
        found: Array = (values - low) / (high - low)
        return found
