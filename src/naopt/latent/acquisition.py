"""Acquisition values: what measuring an architecture promises, from a prediction and its uncertainty.

All take ``mean`` and ``deviation`` (>= 0) of normal predictions, arrays that broadcast, where larger means are better.
A deviation of 0 gives the limit: the value of a prediction that is certain. numpy and scipy only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy.special import erfcx, ndtr

if TYPE_CHECKING:
    from numpy.typing import NDArray

Acquisition = Literal["thompson", "ucb", "ei", "pi", "mean"]

_SQRT_2PI = float(np.sqrt(2 * np.pi))


def expected_improvement(
    mean: NDArray[np.float64], deviation: NDArray[np.float64], best: float | NDArray[np.float64]
) -> NDArray[np.float64]:
    """``E[max(Y - best, 0)] = (mean - best) Phi(z) + deviation phi(z)``, ``z = (mean - best) / deviation``.

    Jones, Schonlau, Welch 1998, "Efficient global optimization of expensive black-box functions", Eq. 15.
    """
    gain = np.asarray(mean - best, dtype=np.float64)
    z = standardised(gain, deviation)
    value: NDArray[np.float64] = np.where(deviation > 0, gain * ndtr(z) + deviation * density(z), np.maximum(gain, 0))
    return np.maximum(value, 0)


def expected_improvement_slopes(
    mean: NDArray[np.float64], deviation: NDArray[np.float64], best: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Derivatives of ``expected_improvement`` with respect to mean and deviation: ``Phi(z)`` and ``phi(z)``.

    Where the deviation is 0, ``Phi`` is 1 above ``best``, 0 below, and both are those of ``z = 0`` at ``best``.
    """
    z = standardised(np.asarray(mean - best, dtype=np.float64), deviation)
    return np.asarray(ndtr(z), dtype=np.float64), density(z)


def log_expected_improvement(
    mean: NDArray[np.float64], deviation: NDArray[np.float64], best: float
) -> NDArray[np.float64]:
    """Logarithm of ``expected_improvement`` that orders candidates where the value itself is 0 in floating point.

    Ament et al. 2023, "Unexpected improvements to expected improvement", section 4.1. For ``z`` below -1 from
    ``log(phi(z)) + log(1 - |z| Phi(z) / phi(z))``, below -1e4 by the leading term ``-2 log|z|`` of the last logarithm.
    A certain prediction of no gain has ``-inf``.
    """
    gain = np.asarray(mean - best, dtype=np.float64)
    uncertain = np.where(deviation > 0, deviation, 1.0)
    z = np.clip(standardised(gain, uncertain), -1e150, 1e150)
    inside = np.maximum(z, -1.0)
    near = np.log(inside * ndtr(inside) + density(inside))
    middle = np.clip(z, -1e4, -1.0)
    ratio = np.sqrt(np.pi / 2) * erfcx(-middle / np.sqrt(2))
    log_density = -(z**2) / 2 - np.log(_SQRT_2PI)
    far = log_density + np.log1p(middle * ratio)
    farthest = log_density - 2 * np.log(np.abs(np.minimum(z, -1.0)))
    h = np.where(z > -1, near, np.where(z > -1e4, far, farthest))
    with np.errstate(divide="ignore"):
        certain = np.log(np.maximum(gain, 0))
        value: NDArray[np.float64] = np.where(deviation > 0, h + np.log(uncertain), certain)
    return value


def probability_of_improvement(
    mean: NDArray[np.float64], deviation: NDArray[np.float64], best: float
) -> NDArray[np.float64]:
    """``P[Y > best] = Phi(z)`` (Kushner 1964); for certain predictions 1 above ``best``, 0 below, 1/2 at it."""
    return np.asarray(ndtr(standardised(np.asarray(mean - best, dtype=np.float64), deviation)), dtype=np.float64)


def upper_confidence_bound(
    mean: NDArray[np.float64], deviation: NDArray[np.float64], weight: float
) -> NDArray[np.float64]:
    """``mean + weight * deviation`` (Srinivas et al. 2010, Eq. 6, whose beta is ``weight`` squared)."""
    return np.asarray(mean + weight * deviation, dtype=np.float64)


def independent_thompson_sampling(
    mean: NDArray[np.float64], deviation: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float64]:
    """One draw from ``N(mean, deviation^2)`` for each candidate by itself (White et al. 2021, BANANAS, section 4)."""
    mean = np.asarray(mean, dtype=np.float64)
    return mean + deviation * rng.standard_normal(mean.shape)


def acquire(
    kind: Acquisition,
    mean: NDArray[np.float64],
    deviation: NDArray[np.float64],
    best: float,
    weight: float,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """What orders candidates, larger first, by the name of an acquisition.

    Args:
        kind: ``thompson``, ``ucb``, ``ei`` (its logarithm), ``pi`` (its ``z``), which have the same order, or ``mean``.
        mean: predicted, ``(n,)``.
        deviation: ``(n,)``, at least 0.
        best: what ``ei`` and ``pi`` want to improve on.
        weight: deviations that ``ucb`` adds.
        rng: for ``thompson``.
    """
    match kind:
        case "thompson":
            return independent_thompson_sampling(mean, deviation, rng)
        case "ucb":
            return upper_confidence_bound(mean, deviation, weight)
        case "ei":
            return log_expected_improvement(mean, deviation, best)
        case "pi":
            return standardised(mean - best, deviation)
        case _:
            return mean


def standardised(gain: NDArray[np.float64], deviation: NDArray[np.float64]) -> NDArray[np.float64]:
    """``gain / deviation``; plus or minus infinity, or 0 for no gain, where the deviation is 0."""
    certain = np.where(gain == 0, 0.0, np.copysign(np.inf, gain))
    with np.errstate(over="ignore"):
        return np.divide(gain, deviation, out=certain, where=np.broadcast_to(deviation, gain.shape) > 0)


def density(z: NDArray[np.float64]) -> NDArray[np.float64]:
    """Standard normal density."""
    with np.errstate(over="ignore"):
        value: NDArray[np.float64] = np.exp(-(z**2) / 2) / _SQRT_2PI
    return value
