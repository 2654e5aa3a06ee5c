"""95 % intervals: of means, by Student's t or the bootstrap, and of shares."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from naopt.errors import InputError
from naopt.metrics.scale import exponents, scaled, unscaled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import ArrayLike, NDArray

_FEWEST_RESAMPLED = 30
"""Values from which a mean's interval is that of the bootstrap. With 20 normal ones it would cover 92.9 %."""
_RESAMPLES = 10_000
_CHUNK = 1_000
_Z = 1.959963984540054
"""Normal quantile of a two-sided 95 % interval."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure and its 95 % interval."""

    value: float
    ci95: tuple[float, float]


def bootstrap_interval(values: ArrayLike, seed: int = 0, level: float = 0.95) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean (Efron 1979): 10,000 resamples with replacement, seeded.

    Too narrow with few values: of normal ones a nominal 95 % covers the mean in 75 % of all cases with 3 values, 84 %
    with 5, 90 % with 10, 93 % with 20. See ``mean_intervals``.

    Args:
        values: ``(n,)`` finite numbers, n >= 1. A single one, or equal ones, give an interval of no width.
        seed: of the resampling; equal input and seed give equal intervals.
        level: share of the resampled means that lie inside.

    Raises:
        InputError: no values, or values that are not finite.
    """
    sample = vector(values)
    low, high = bootstrap_intervals(sample[:, None], seed, level)[0]
    return float(low), float(high)


def bootstrap_intervals(values: ArrayLike, seed: int = 0, level: float = 0.95) -> NDArray[np.float64]:
    """``bootstrap_interval`` of every column at once, all with the same resamples.

    Args:
        values: ``(n, m)`` finite numbers, n >= 1.
        seed: of the resampling.
        level: share of the resampled means that lie inside.

    Returns:
        ``(m, 2)``: low and high.

    Raises:
        InputError: no values, or values that are not finite.
    """
    given = table(values)
    units = exponents(given)
    sample, count = scaled(given, units), len(given)
    # Around the first row, so that a column of equal values has an interval of no width whatever the rounding.
    around = sample - sample[0]
    means = []
    for chosen in resamples(count, seed):
        cells = chosen + count * np.arange(len(chosen))[:, None]
        weights = np.bincount(cells.ravel(), minlength=chosen.size).reshape(chosen.shape)
        means.append(weights @ around / count)
    ends = np.quantile(np.concatenate(means).T.copy(), [(1 - level) / 2, (1 + level) / 2], axis=1)
    # A mean of resampled values lies among the values; the detours around the first row and through units may leave
    # them by a rounding.
    found = unscaled(ends.T + sample[0][:, None], units[:, None])
    among: NDArray[np.float64] = np.clip(found, given.min(axis=0)[:, None], given.max(axis=0)[:, None])
    return among


def mean_intervals(values: ArrayLike, seed: int = 0) -> NDArray[np.float64]:
    """95 % intervals of the mean of every column of ``(n, m)`` finite numbers, n >= 1: ``(m, 2)``, low and high.

    Student's t (Student 1908) of up to 29 values, which is right for normal ones whatever their number, and covers more
    often than the percentile bootstrap and its BCa variant for skewed ones too, but less than 95 %: 82 % of log-normal
    ones of unit spread with 5 or 10 values. From 30 values on the percentile bootstrap. One value has no spread, and an
    interval of no width. An interval may reach beyond what values are possible.

    Args:
        values: finite.
        seed: of the bootstrap's resampling.

    Raises:
        InputError: no values, or values that are not finite.
    """
    sample = table(values)
    count = len(sample)
    if count >= _FEWEST_RESAMPLED:
        return bootstrap_intervals(sample, seed)
    units = exponents(sample)
    sample = scaled(sample, units)
    # Around the first row, so that equal values have an interval of no width whatever the rounding.
    around = sample - sample[0]
    middle = around.mean(axis=0)
    half = np.zeros_like(middle)
    if count > 1:
        from scipy.special import stdtrit

        half = stdtrit(count - 1, 0.975) * around.std(axis=0, ddof=1) / math.sqrt(count)
    return unscaled(np.stack([sample[0] + (middle - half), sample[0] + (middle + half)], axis=1), units[:, None])


def interval_method(count: int) -> str:
    """How ``mean_intervals`` makes the interval of so many values, in words."""
    if count == 1:
        return "of no width: one value has no spread"
    return "Student's t" if count < _FEWEST_RESAMPLED else "bootstrap, 10,000 resamples"


def wilson_interval(share: float, count: int) -> tuple[float, float]:
    """95 % interval of a share of ``count`` independent cases (Wilson 1927); not empty even at a share of 0 or 1.

    Raises:
        InputError: a share outside of 0..1, or no cases.
    """
    if count < 1 or not 0 <= share <= 1:
        raise InputError("share", f"{share} of {count}", "must be in 0..1, of at least one case")
    middle = (share + _Z**2 / (2 * count)) / (1 + _Z**2 / count)
    spread = math.sqrt(share * (1 - share) / count + (_Z / (2 * count)) ** 2) * _Z / (1 + _Z**2 / count)
    return max(0.0, middle - spread), min(1.0, middle + spread)


def resamples(count: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """Indices ``(1000, count)`` of samples with replacement, ten times."""
    rng = np.random.default_rng(seed)
    for _ in range(_RESAMPLES // _CHUNK):
        yield rng.integers(count, size=(_CHUNK, count))


def table(values: ArrayLike) -> NDArray[np.float64]:
    """``(n, m)`` finite numbers, n >= 1, or ``InputError``."""
    sample = np.asarray(values, dtype=np.float64)
    if sample.ndim != 2 or not len(sample) or not np.isfinite(sample).all():
        raise InputError("trials", str(sample.shape), "must be a table of finite numbers with at least one row")
    return sample


def vector(values: ArrayLike) -> NDArray[np.float64]:
    """``(n,)`` finite numbers, n >= 1, or ``InputError``."""
    sample = np.asarray(values, dtype=np.float64)
    if sample.ndim != 1 or not len(sample) or not np.isfinite(sample).all():
        raise InputError("trials", str(sample.tolist()), "must be a vector of at least one finite number")
    return sample
