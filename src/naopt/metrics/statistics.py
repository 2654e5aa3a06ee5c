"""Mean, spread and intervals of repeated trials."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from naopt.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_RESAMPLES = 10_000
_CHUNK = 1_000


@dataclass(frozen=True, slots=True)
class Summary:
    """Mean of trials, their sample standard deviation (0 for a single one), and the mean's 95 % interval."""

    mean: float
    std: float
    ci95: tuple[float, float]


@dataclass(frozen=True, slots=True)
class PairedSummary:
    """Differences ``first - second`` of trials that share their seeds: summary, and how often each side was larger."""

    difference: Summary
    larger: int
    equal: int
    smaller: int


def bootstrap_interval(values: ArrayLike, seed: int = 0, level: float = 0.95) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean (Efron 1979): 10,000 resamples with replacement, seeded.

    Args:
        values: ``(n,)`` finite numbers, n >= 1. A single one, or equal ones, give an interval of no width.
        seed: of the resampling; equal input and seed give equal intervals.
        level: share of the resampled means that lie inside.

    Raises:
        InputError: no values, or values that are not finite.
    """
    sample = _sample(values)
    rng = np.random.default_rng(seed)
    means = np.concatenate(
        [
            sample[rng.integers(len(sample), size=(_CHUNK, len(sample)))].mean(axis=1)
            for _ in range(_RESAMPLES // _CHUNK)
        ]
    )
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def summarise(values: ArrayLike, seed: int = 0) -> Summary:
    """Mean, standard deviation (n - 1) and 95 % bootstrap interval of ``(n,)`` finite numbers, n >= 1."""
    sample = _sample(values)
    std = float(sample.std(ddof=1)) if len(sample) > 1 else 0.0
    return Summary(float(sample.mean()), std, bootstrap_interval(sample, seed))


def paired_summary(first: ArrayLike, second: ArrayLike, seed: int = 0) -> PairedSummary:
    """Trial by trial ``first - second``, both ``(n,)`` and in the same order of seeds."""
    a, b = _sample(first), _sample(second)
    if a.shape != b.shape:
        raise InputError("trials", f"{len(a)} and {len(b)}", "must be equally many to be paired")
    difference = a - b
    return PairedSummary(
        summarise(difference, seed),
        int((difference > 0).sum()),
        int((difference == 0).sum()),
        int((difference < 0).sum()),
    )


def _sample(values: ArrayLike) -> NDArray[np.float64]:
    sample = np.asarray(values, dtype=np.float64)
    if sample.ndim != 1 or not len(sample) or not np.isfinite(sample).all():
        raise InputError("trials", str(sample.tolist()), "must be a vector of at least one finite number")
    return sample
