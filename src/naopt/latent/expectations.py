"""What architectures are worth that were measured with errors: all measurements together say it better than each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from naopt.latent.features import Features, together
from naopt.latent.gaussian_process import GaussianProcess
from naopt.latent.targets import Targets
from naopt.spaces import Architecture, SearchSpace

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

_FEWEST = 3
_MOST_FITTED, _MOST = 300, 2000
_TWO_SIDED = 1.96


@dataclass(frozen=True, eq=False)
class Expectations:
    """What endless repetition of each measurement would give, as far as is known.

    Attributes:
        mean: scores ``(n,)``, larger is better.
        deviation: how far each may be off ``(n,)``, in the same unit.
    """

    mean: Array
    deviation: Array

    def as_good_as(self, best: int) -> Array:
        """Which may be as good as one of them ``(n,)``, itself included: 95 % intervals of the differences hold 0.

        As if errors of different architectures were independent, which those that are alike are not.
        """
        spread = np.hypot(self.deviation, self.deviation[best])
        found: Array = self.mean[best] - self.mean <= _TWO_SIDED * spread
        return found


def expectations(
    space: SearchSpace, architectures: Sequence[Architecture], scores: Array, errors: Array
) -> Expectations:
    """What a Gaussian process on the features of ``nao`` makes of measurements and their standard errors.

    An architecture is worth what its features say and what it has of its own, which the process parts from errors
    of measurement because it is told how large these are. Where errors are small it believes what was measured.

    Features are those that these architectures have: what none of them has tells none apart, and a space need not be
    sampled for it. Parameters are fitted to 300 of the measurements at most, spread evenly; beyond 2,000 measurements
    the best 2,000 are looked at, and the others expected to be what they were measured to be.

    Args:
        space: of the architectures.
        architectures: n of them, no two alike.
        scores: finite ``(n,)``, larger is better.
        errors: standard errors of the scores ``(n,)``, not negative.
    """
    mean, deviation = scores.astype(np.float64), errors.astype(np.float64)
    if len(scores) < _FEWEST:
        return Expectations(mean, deviation)
    looked_at = np.sort(np.argsort(-scores, kind="stable")[:_MOST])
    targets = Targets.fit(scores[looked_at], "yeo-johnson")
    given, variances = targets.transform(scores[looked_at]), targets.variances(scores[looked_at], errors[looked_at])
    judged = [architectures[at] for at in looked_at]
    features = Features.learn(space, judged)(judged)
    groups, product = list(features.values()), together(features)
    some = np.unique(np.linspace(0, len(given) - 1, min(len(given), _MOST_FITTED)).astype(int))
    process = GaussianProcess(levelled=True, product=product)
    fitted = process.fit([group[some] for group in groups], given[some], errors=variances[some])
    if len(some) < len(given):
        fitted = process.fit(groups, given, fitted.parameters, errors=variances)
    own, variance = fitted.own()
    spread = np.sqrt(np.maximum(variance, 0))
    mean[looked_at] = targets.inverse(own)
    deviation[looked_at] = (targets.inverse(own + spread) - targets.inverse(own - spread)) / 2
    return Expectations(mean, deviation)
