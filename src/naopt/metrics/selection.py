"""What the best of many is worth by another measure than the one it was chosen by, where both are normal."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from naopt.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_DRAWS = 2_000
_FAR = 12.0
"""Beyond which no normal of any number that there is lies."""


@lru_cache(maxsize=4096)
def expected_maximum(count: int) -> float:
    """Mean of the largest of ``count`` independent standard normals, to about nine digits.

    The integral of ``1 - Phi(z)^n - Phi(-z)^n`` over ``z > 0`` (Tippett 1925, by symmetry).

    Raises:
        InputError: ``count < 1``.
    """
    from scipy.integrate import simpson
    from scipy.special import log_ndtr

    if count < 1:
        raise InputError("count", count, "must be at least 1")
    z = np.linspace(0.0, _FAR, 4001)
    return float(simpson(-np.expm1(count * log_ndtr(z)) - np.exp(count * log_ndtr(-z)), x=z))


def expected_picks(correlation: ArrayLike, count: ArrayLike) -> NDArray[np.float64]:
    """What is expected of the best of ``count`` by a score: standard deviations above the mean of the target, ``(b,)``.

    Target and score are bivariate normal, so it is the correlation times ``expected_maximum``; NaN of a count below 1.

    Args:
        correlation: ``(b,)``, of target and score.
        count: ``(b,)`` whole numbers.
    """
    numbers = np.asarray(count, dtype=np.int64)
    distinct, places = np.unique(numbers, return_inverse=True)
    best = np.array([expected_maximum(int(number)) if number >= 1 else np.nan for number in distinct])
    found: NDArray[np.float64] = np.asarray(correlation, dtype=np.float64) * best[places.reshape(-1)]
    return found


def expected_finals(
    correlation: ArrayLike, count: ArrayLike, finalists: int, noise: ArrayLike, seed: int = 0
) -> NDArray[np.float64]:
    """The same where the best ``finalists`` by the score are measured by the target, and the best of these is taken.

    By 2,000 draws, the same for all, so that differences are surer than the figures themselves, whose standard error is
    about 0.02. The ``finalists`` largest of ``count`` uniform numbers are drawn from the top: the next is the last one
    times a power ``1 / i`` of another.

    Args:
        correlation: ``(b,)``, of target and score.
        count: ``(b,)`` whole numbers; NaN of one below ``finalists``.
        finalists: at least 1.
        noise: ``(b,)``, standard deviation of a measurement of the target, in those of the target.
        seed: of the draws.

    Raises:
        InputError: ``finalists < 1``.
    """
    from scipy.special import ndtri

    if finalists < 1:
        raise InputError("finalists", finalists, "must be at least 1")
    numbers = np.asarray(count, dtype=np.int64)
    bounds, errors = np.asarray(correlation, dtype=np.float64), np.asarray(noise, dtype=np.float64)
    rng = np.random.default_rng(seed)
    steps = rng.standard_exponential((_DRAWS, finalists))
    rest, off = rng.standard_normal((2, _DRAWS, finalists))
    found = np.full(len(numbers), np.nan)
    for number in np.unique(numbers[numbers >= finalists]):
        logs = -np.cumsum(steps / (number - np.arange(finalists)), axis=1)
        scores = -ndtri(-np.expm1(logs))
        for at in np.flatnonzero(numbers == number):
            target = bounds[at] * scores + np.sqrt(max(0.0, 1 - bounds[at] ** 2)) * rest
            chosen = np.argmax(target + errors[at] * off, axis=1)
            found[at] = target[np.arange(_DRAWS), chosen].mean()
    return found
