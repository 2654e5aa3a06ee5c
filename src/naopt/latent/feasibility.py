"""Which architectures can be measured at all, learned from those that could not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import log_ndtr

from naopt.latent.gaussian_process import GaussianProcess

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

_GAIN = 4.0
"""Nats by which failures must be foreseen better than by their number alone; chance gains as much in about 5 of 100
data sets of 12 to 100 outcomes, and in 20 of 100 it gains 2."""
_SLOPE, _OFFSET = 3.0, 3.0
"""Spread of the normal priors of slope and offset, so that outcomes that can be told apart keep some doubt."""


class FeasibilityModel:
    """The probability that an architecture can be measured.

    Least-squares classification (Rasmussen & Williams 2006, section 6.5): a Gaussian process is fitted to the outcomes,
    1 and -1, and its predictions are turned into probabilities by a cumulative normal (Eq. 6.41 and 6.42), whose
    slope and offset make what is predicted of each outcome from all others most probable. So failures count as far as
    they repeat by structure: with those that come at random no outcome is foreseen from the others. Unless outcomes
    are foreseen better by 4 nats than by the share of failures alone, nothing is concluded.

    Args:
        groups: features of what was tried, each ``(n, columns)``, ``n >= 1``.
        feasible: whether it could be measured, ``(n,)``.
        parameters: of the process, of an earlier fit; fitted if not given.

    Attributes:
        foreseen: logarithm of the probability of all outcomes, each predicted from the others.
    """

    def __init__(self, groups: Sequence[Array], feasible: NDArray[np.bool_], parameters: Array | None = None) -> None:
        self._signs = np.where(feasible, 1.0, -1.0)
        centre, spread = float(self._signs.mean()), float(self._signs.std())
        self.process = GaussianProcess()
        self.slope = self.offset = 0.0
        self.foreseen = -np.inf
        if spread == 0:
            return
        self.process.fit(groups, (self._signs - centre) / spread, parameters)
        self._calibrate()

    @property
    def concludes(self) -> bool:
        """Whether the failures repeat by structure."""
        return self.slope > 0

    def log_probability(self, groups: Sequence[Array]) -> Array:
        """Logarithm of the probability of being measurable of ``n`` architectures ``(n,)``; 0 if nothing is known."""
        if not self.concludes:
            return np.zeros(len(groups[0]))
        mean, variance = self.process.predict(groups)
        z = _steps(self.slope, self.offset, mean, variance + self.process.noise)
        return np.asarray(log_ndtr(z), dtype=np.float64)

    def _calibrate(self) -> None:
        mean, variance = self.process.left_out()
        share = float((self._signs > 0).mean())
        by_number = float(np.log(np.where(self._signs > 0, share, 1 - share)).sum())

        def foreseen(parameters: Array) -> float:
            z = _steps(parameters[0], parameters[1], mean, variance)
            return float(log_ndtr(self._signs * z).sum())

        def loss(parameters: Array) -> float:
            slope, offset = parameters
            return 0.5 * float((slope / _SLOPE) ** 2 + (offset / _OFFSET) ** 2) - foreseen(parameters)

        from scipy.optimize import minimize

        found = minimize(loss, np.array([1.0, 0.0]), method="L-BFGS-B", bounds=[(0.0, None), (None, None)]).x
        if foreseen(found) >= by_number + _GAIN:
            self.slope, self.offset = float(found[0]), float(found[1])
            self.foreseen = foreseen(found)


def _steps(slope: float, offset: float, mean: Array, variance: Array) -> Array:
    found: Array = (slope * mean + offset) / np.sqrt(1 + slope**2 * variance)
    return found
