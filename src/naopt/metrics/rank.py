"""How well predicted scores order what was measured.

All functions take the measured scores first, finite and ``(n,)``, and return NaN where the figure is not defined.
Larger scores are better or smaller ones are: it makes no difference as long as both sides agree, except for the figures
of the top (``precision_at_k``, ``best_rank_at_k``), for which larger is better.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from naopt.errors import InputError
from naopt.metrics.intervals import Estimate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

_RESAMPLES = 2_000


def pairwise_accuracy(measured: ArrayLike, predicted: ArrayLike) -> float:
    """Share of the pairs with different measured scores that the prediction puts in the right order.

    Pairs are strict and unordered, and a tie in the prediction counts one half, so a constant prediction scores 0.5
    and a perfect one 1. NaN if no two measured scores differ. Without ties ``kendall_tau = 2 * accuracy - 1``.

    Departure from NAO (section 4.1), whose formula as printed counts ``1[f1 >= f2] 1[s1 >= s2]`` over all ordered
    pairs, by which even a perfect predictor scores about 0.5.

    O(n log n): the excess ``S`` of concordant over discordant pairs is Kendall's tau-b times its denominator, and the
    accuracy is ``(1 + S / strict) / 2``.
    """
    x, y = _pair(measured, predicted)
    strict, untied = _untied_pairs(x), _untied_pairs(y)
    if strict == 0:
        return math.nan
    if untied == 0:
        return 0.5
    excess = round(kendall_tau(x, y) * math.sqrt(strict) * math.sqrt(untied))
    return (1 + excess / strict) / 2


def kendall_tau(measured: ArrayLike, predicted: ArrayLike) -> float:
    """Kendall's tau-b; NaN if either side is constant."""
    from scipy import stats

    x, y = _pair(measured, predicted)
    if _constant(x) or _constant(y):
        return math.nan
    return float(stats.kendalltau(x, y).statistic)


def kendall_tau_interval(
    measured: ArrayLike, predicted: ArrayLike, seed: int = 0, level: float = 0.95
) -> tuple[float, float]:
    """Percentile bootstrap interval (Efron 1979) of Kendall's tau-b: 2,000 resamples of whole pairs, seeded.

    What a resample draws twice is tied with itself on both sides, and counts in no pair. NaN if either side is
    constant; resamples in which one is are left out.
    """
    x, y = _pair(measured, predicted)
    if _constant(x) or _constant(y):
        return math.nan, math.nan
    return _percentiles(_taus(x, y, seed), level)


def tau_of_pairs(pairs: Sequence[tuple[ArrayLike, ArrayLike]], seed: int = 0) -> Estimate | None:
    """Mean of Kendall's tau-b over pairs of figures of the same things, and its interval as ``kendall_tau_interval``.

    Each pair is two vectors ``(n,)``; all are resampled together. Pairs with a constant side are left out; ``None`` if
    no other is there.
    """
    both = [(x, y) for x, y in (_pair(*pair) for pair in pairs) if not (_constant(x) or _constant(y))]
    if not both:
        return None
    taus = np.array([_taus(x, y, seed) for x, y in both])
    known = np.isfinite(taus).all(axis=0)
    value = float(np.mean([kendall_tau(x, y) for x, y in both]))
    return Estimate(value, _percentiles(taus[:, known].mean(axis=0), 0.95)) if known.any() else None


def _taus(x: NDArray[np.float64], y: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """Tau-b of resamples ``(2000,)``, NaN where a side is constant."""
    a, b = np.sign(x[:, None] - x), np.sign(y[:, None] - y)
    count = len(x)
    drawn = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), _RESAMPLES).astype(np.float64)
    # With drawn[r, i] copies of pair i, sums over all pairs of a resample are quadratic forms of whole numbers: exact.
    excess, of_x, of_y = (((drawn @ matrix) * drawn).sum(axis=1) for matrix in (a * b, a * a, b * b))
    varied = of_x * of_y > 0
    taus = np.full(len(drawn), np.nan)
    taus[varied] = excess[varied] / np.sqrt(of_x[varied] * of_y[varied])
    return taus


def _percentiles(found: NDArray[np.float64], level: float) -> tuple[float, float]:
    """Of resampled figures, NaN left out."""
    low, high = np.quantile(found[np.isfinite(found)], [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def spearman(measured: ArrayLike, predicted: ArrayLike) -> float:
    """Spearman's rank correlation; NaN if either side is constant."""
    return spearman_test(measured, predicted)[0]


def spearman_interval(
    measured: ArrayLike, predicted: ArrayLike, seed: int = 0, level: float = 0.95
) -> tuple[float, float]:
    """Percentile bootstrap interval of Spearman's rank correlation, as ``kendall_tau_interval``: ranks of resamples.

    Copies of a pair share their mean rank on both sides.
    """
    from scipy.stats import rankdata

    x, y = _pair(measured, predicted)
    if _constant(x) or _constant(y):
        return math.nan, math.nan
    drawn = np.random.default_rng(seed).integers(len(x), size=(_RESAMPLES, len(x)))
    a, b = (rankdata(side[drawn], axis=1) - (len(x) + 1) / 2 for side in (x, y))
    of_a, of_b = (a * a).sum(axis=1), (b * b).sum(axis=1)
    varied = of_a * of_b > 0
    return _percentiles((a * b).sum(axis=1)[varied] / np.sqrt(of_a[varied] * of_b[varied]), level)


def spearman_test(measured: ArrayLike, predicted: ArrayLike) -> tuple[float, float]:
    """Spearman's rank correlation and its two-sided p-value (Student's t); NaN if either side is constant."""
    from scipy import stats

    x, y = _pair(measured, predicted)
    if _constant(x) or _constant(y):
        return math.nan, math.nan
    found = stats.spearmanr(x, y)
    return float(found.statistic), float(found.pvalue)


def share_beaten(value: float, others: ArrayLike) -> float:
    """Share of ``others`` ``(n,)`` that are smaller than ``value``; those that are equal count one half.

    NaN if there are none.
    """
    rest = np.asarray(others, dtype=np.float64)
    return float((rest < value).mean() + (rest == value).mean() / 2) if len(rest) else math.nan


def precision_at_k(measured: ArrayLike, predicted: ArrayLike, k: int) -> float:
    """P@topK (Ning et al. 2020, GATES): share of the ``k`` predicted best that are among the ``k`` best.

    Architectures that measure the same as the ``k``-th best count as among them. Where equal predictions leave open
    which are the ``k`` predicted best, the figure is the mean over all choices. NaN if there are fewer than ``k``.

    Raises:
        InputError: ``k < 1``, or scores that cannot be compared.
    """
    x, y = _pair(measured, predicted)
    if _top_size(k) > len(x):
        return math.nan
    good = x >= np.partition(x, -k)[-k]
    surely, perhaps, free = _top(y, k)
    return float(good[surely].sum() + free * good[perhaps].mean()) / k


def best_rank_at_k(measured: ArrayLike, predicted: ArrayLike, k: int) -> float:
    """N@K (Ning et al. 2020, GATES): the best true rank among the ``k`` predicted best.

    The rank is 1 plus the number of those that measure better: 1 is the best. Where equal predictions leave open which
    are the ``k`` predicted best, the figure is the mean over all choices. NaN if there are fewer than ``k``.

    Raises:
        InputError: ``k < 1``, or scores that cannot be compared.
    """
    x, y = _pair(measured, predicted)
    if _top_size(k) > len(x):
        return math.nan
    ranks = 1 + len(x) - np.searchsorted(np.sort(x), x, side="right")
    surely, perhaps, free = _top(y, k)
    known = float(ranks[surely].min()) if len(surely) else math.inf
    # Drawing `free` of those left open, best first: the chance that none of the first 1, 2, ... is among them.
    missed = np.cumprod(np.maximum(1 - free / np.arange(len(perhaps), 0, -1), 0.0))
    first = -np.diff(missed, prepend=1.0)
    return float(first @ np.minimum(np.sort(ranks[perhaps]), known))


def _top_size(k: int) -> int:
    if k < 1:
        raise InputError("k", k, "must be at least 1")
    return k


def _top(predicted: NDArray[np.float64], k: int) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
    """Indices of the surely ``k`` largest, of those that tie for the rest, and how many of these there is room for."""
    bound = np.partition(predicted, -k)[-k]
    surely, perhaps = np.flatnonzero(predicted > bound), np.flatnonzero(predicted == bound)
    return surely, perhaps, k - len(surely)


@dataclass(frozen=True, slots=True)
class NoiseCeiling:
    """How far repeated measurements agree, and what that leaves for a predictor to reach.

    Attributes:
        kendall_tau: tau-b between two repeats, mean over all pairs of repeats.
        pairwise_accuracy: of one repeat as a prediction of another, mean over all ordered pairs of repeats.
        perfect_against_one: estimated pairwise accuracy of a perfect predictor, tested on a single repeat.
        perfect_against_mean: the same, tested on the mean of all repeats.
    """

    kendall_tau: float
    pairwise_accuracy: float
    perfect_against_one: float
    perfect_against_mean: float


def noise_ceiling(repeats: ArrayLike) -> NoiseCeiling | None:
    """The best that a predictor can do on measurements this noisy.

    A perfect predictor knows each true score ``t``; a repeat is ``t`` plus independent noise. If ``t`` and the noise
    are normal (up to a common monotone transform), the sign of a difference agrees between two variables of
    correlation ``c`` with probability ``1/2 + asin(c) / pi`` (Greiner's relation; Kruskal 1958, section 4). The
    observed agreement ``a`` between two repeats thus gives the reliability of one, ``r = sin(pi (a - 1/2))``; that of
    the mean of ``k`` repeats is ``k r / (1 + (k - 1) r)`` (Spearman-Brown); and ``t`` correlates with a measurement of
    reliability ``r`` by ``sqrt(r)``. Agreement below chance counts as none.

    Args:
        repeats: ``(n, k)`` or ``(n,)``, NaN where nothing was measured.

    Returns:
        ``None`` if no two repeats have architectures in common on which each of them varies.
    """
    scores = np.asarray(repeats, dtype=np.float64)
    if scores.ndim == 1:
        return None
    taus, accuracies = [], []
    for first, second in combinations(range(scores.shape[1]), 2):
        both = np.isfinite(scores[:, [first, second]]).all(axis=1)
        a, b = scores[both, first], scores[both, second]
        if not (_constant(a) or _constant(b)):
            taus.append(kendall_tau(a, b))
            accuracies.append((pairwise_accuracy(a, b) + pairwise_accuracy(b, a)) / 2)
    if not taus:
        return None
    agreement = float(np.mean(accuracies))
    count = scores.shape[1]
    one = max(0.0, math.sin(math.pi * (agreement - 0.5)))
    mean = count * one / (1 + (count - 1) * one)
    return NoiseCeiling(
        kendall_tau=float(np.mean(taus)),
        pairwise_accuracy=agreement,
        perfect_against_one=0.5 + math.asin(math.sqrt(one)) / math.pi,
        perfect_against_mean=0.5 + math.asin(math.sqrt(mean)) / math.pi,
    )


def _pair(measured: ArrayLike, predicted: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    x, y = np.asarray(measured, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    if x.ndim != 1 or x.shape != y.shape:
        raise InputError("scores", f"{x.shape} and {y.shape}", "must be two vectors of equal length")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise InputError("scores", "NaN or infinity", "must be finite")
    return x, y


def _constant(values: NDArray[np.float64]) -> bool:
    return len(values) < 2 or bool((values == values[0]).all())


def _untied_pairs(values: NDArray[np.float64]) -> int:
    """Number of unordered pairs of different values."""
    counts = np.unique(values, return_counts=True)[1].astype(np.int64)
    return int((len(values) ** 2 - (counts**2).sum()) // 2)
