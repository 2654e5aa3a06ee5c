"""By how much candidates promise to enlarge what a front dominates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from naopt.latent.acquisition import expected_improvement
from naopt.latent.targets import Targets
from naopt.metrics.boxes import boxes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

_TINY = 1e-300


class Outlook(Protocol):
    """What is expected of one objective of ``n`` candidates."""

    def excess(self, levels: Array) -> Array:
        """``E[max(Y - level, 0)]``, ``(n, levels)``, of finite levels in ascending order."""


@dataclass(frozen=True, slots=True)
class Exact:
    """An objective that is known. Attributes: scores ``(n,)``, larger is better."""

    scores: Array

    def excess(self, levels: Array) -> Array:
        """See ``Outlook``."""
        return np.maximum(self.scores[:, None] - levels, 0.0)


@dataclass(frozen=True, slots=True)
class Normal:
    """An objective that a process predicts: targets are normal, and scores a monotone function of them.

    Attributes:
        mean: of the targets ``(n,)``.
        deviation: of the targets ``(n,)``.
        targets: the map between scores and targets, linear between those of what was measured.
    """

    mean: Array
    deviation: Array
    targets: Targets

    def excess(self, levels: Array) -> Array:
        """See ``Outlook``: the integral of the probability to be above, ``P(Z > z) T'(z)``, over what is above.

        Between two knots ``a < b`` of the map with slope ``s`` it is ``s (E[max(Z - a, 0)] - E[max(Z - b, 0)])``.
        """
        knots = np.unique(np.concatenate([self.targets.targets, self.targets.transform(levels)]))
        scores = self.targets.inverse(knots)
        gain = expected_improvement(self.mean[:, None], self.deviation[:, None], knots)
        slope = np.diff(scores) / np.diff(knots)
        pieces = slope * (gain[:, :-1] - gain[:, 1:])
        beyond = self.targets.inverse(knots[-1:] + 1.0) - scores[-1:]
        above = np.concatenate([pieces[:, ::-1].cumsum(axis=1)[:, ::-1], np.zeros((len(gain), 1))], axis=1)
        above += beyond * gain[:, -1:]
        found: Array = above[:, np.searchsorted(knots, self.targets.transform(levels))]
        return found


def log_enlargement(outlooks: Sequence[Outlook], front: Array, reference: Array) -> Array:
    """Logarithm of the expected improvement of hypervolume of candidates ``(n,)``.

    Of independent objectives: the sum over the boxes that the front leaves (Yang et al. 2019, "Efficient computation of
    expected hypervolume improvement"), of which each has the product over the objectives of what is expected between
    its lower and its upper end. With one objective it is the expected improvement.

    Args:
        outlooks: of the ``k`` objectives.
        front: scores ``(m, k)``; dominated ones make no difference.
        reference: ``(k,)``.
    """
    lower, upper = boxes(front, reference)
    total: Array | None = None
    for axis, outlook in enumerate(outlooks):
        low, high = lower[:, axis], upper[:, axis]
        levels = np.unique(np.concatenate([low, high[np.isfinite(high)]]))
        excess = outlook.excess(levels)
        side = excess[:, np.searchsorted(levels, low)]
        finite = np.flatnonzero(np.isfinite(high))
        side[:, finite] -= excess[:, np.searchsorted(levels, high[finite])]
        total = side if total is None else total * side
    assert total is not None
    return np.asarray(np.log(np.maximum(total.sum(axis=1), _TINY)), dtype=np.float64)
