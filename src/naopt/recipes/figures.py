"""What a recipe's trainings say of it: cost, noise, signal, and how it ranks architectures beside the full training."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations, product
from typing import TYPE_CHECKING

import numpy as np

from naopt.metrics import (
    Estimate,
    covariances,
    kendall_tau,
    kendall_tau_interval,
    spearman,
    spearman_interval,
    tau_of_pairs,
    variance_components,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

_RESAMPLES = 2_000


@dataclass(frozen=True, eq=False)
class Trained:
    """Trainings of the same architectures by one recipe.

    Attributes:
        scores: ``(m, k)``, a row an architecture and a column a repeat, larger is better; NaN of what failed.
        seconds: ``(m, k)``, of each training, also of those that failed.
    """

    scores: NDArray[np.float64]
    seconds: NDArray[np.float64]

    @property
    def means(self) -> NDArray[np.float64]:
        """Of each architecture, over its trainings that ended well: ``(m,)``; NaN where none did."""
        known = np.isfinite(self.scores)
        count = known.sum(axis=1)
        total = np.where(known, self.scores, 0.0).sum(axis=1)
        return np.where(count > 0, total / np.maximum(count, 1), np.nan)


@dataclass(frozen=True, slots=True)
class RecipeFigures:
    """Figures of a recipe, each with a percentile bootstrap interval over architectures; ``None`` where not defined.

    Attributes:
        seconds: of one training, on average.
        mean: of the metric, larger is better, over architectures.
        noise: standard deviation between trainings of one architecture.
        signal: standard deviation between architectures, noise taken out (``variance_components``).
        reliability: share of the architectures in the variance of one training.
        correlation: with the full training's metric, noise of both taken out, in -1..1.
        kendall_tau: tau-b of the means over repeats with those of the full training.
        spearman: rank correlation of the same.
        single: tau-b of one training with one full one, mean over all pairs of repeats; of the full training with
            itself, over pairs of different repeats: what a recipe would reach that is as good and as noisy as it.
    """

    seconds: float
    mean: Estimate | None
    noise: Estimate | None
    signal: Estimate | None
    reliability: Estimate | None
    correlation: Estimate | None
    kendall_tau: Estimate | None
    spearman: Estimate | None
    single: Estimate | None


def resampled(architectures: int, seed: int = 0) -> NDArray[np.float64]:
    """How often each of 2,000 resamples has each architecture: ``(2000, m)``."""
    shares = np.full(architectures, 1 / architectures)
    return np.random.default_rng(seed).multinomial(architectures, shares, _RESAMPLES).astype(np.float64)


def recipe_figures(trained: Trained, full: Trained) -> RecipeFigures:
    """Figures of a recipe beside the full training, or of the full training itself.

    What failed ranks last in the rank correlations, where all repeats of an architecture did or in pairs of single
    trainings, and is left out of all others.
    """
    counts = resampled(len(full.scores))
    components = variance_components(trained.scores)
    spread = variance_components(trained.scores, counts)
    ranked = _ranked(full.means), _ranked(trained.means)
    itself = trained is full
    return RecipeFigures(
        seconds=float(trained.seconds.mean()),
        mean=estimate(components.mean, spread.mean),
        noise=estimate(np.sqrt(components.noise), np.sqrt(spread.noise)),
        signal=estimate(np.sqrt(components.signal), np.sqrt(spread.signal)),
        reliability=estimate(components.reliability, spread.reliability),
        correlation=None if itself else estimate(correlations(trained, full), correlations(trained, full, counts)),
        kendall_tau=None if itself else _rank_correlation(*ranked, kendall_tau, kendall_tau_interval),
        spearman=None if itself else _rank_correlation(*ranked, spearman, spearman_interval),
        single=_single(trained, full),
    )


def correlations(trained: Trained, full: Trained, counts: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
    """Correlation of what architectures are worth by a recipe and in full, without noise: ``(b,)``.

    The covariance of the means, whose errors are independent, over the standard deviations of the signals, clipped to
    -1..1; 0 where either has no signal.
    """
    if trained is full:
        return np.ones(1 if counts is None else len(counts))
    found = covariances(trained.means, full.means, counts)
    parts = [variance_components(each.scores, counts).signal for each in (trained, full)]
    with np.errstate(all="ignore"):
        clipped = np.clip(found / np.sqrt(parts[0] * parts[1]), -1.0, 1.0)
        return np.where(parts[0] * parts[1] > 0, clipped, np.where(np.isnan(parts[0] + parts[1]), np.nan, 0.0))


def estimate(value: NDArray[np.float64], resamples: NDArray[np.float64]) -> Estimate | None:
    """A figure ``(1,)`` and the percentiles of its resamples ``(b,)``; ``None`` where most of them are not defined."""
    known = resamples[np.isfinite(resamples)]
    if not np.isfinite(value[0]) or 2 * len(known) < len(resamples):
        return None
    low, high = np.quantile(known, [0.025, 0.975]).tolist()
    return Estimate(float(value[0]), (low, high))


def _rank_correlation(
    measured: NDArray[np.float64],
    predicted: NDArray[np.float64],
    figure: Callable[[NDArray[np.float64], NDArray[np.float64]], float],
    interval: Callable[[NDArray[np.float64], NDArray[np.float64]], tuple[float, float]],
) -> Estimate | None:
    value = figure(measured, predicted)
    return None if math.isnan(value) else Estimate(value, interval(measured, predicted))


def _single(trained: Trained, full: Trained) -> Estimate | None:
    repeats = range(full.scores.shape[1])
    pairs = combinations(repeats, 2) if trained is full else product(repeats, repeats)
    return tau_of_pairs([(_ranked(full.scores[:, i]), _ranked(trained.scores[:, j])) for i, j in pairs])


def _ranked(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scores in which what failed is below all others."""
    known = np.isfinite(scores)
    worst = scores[known].min() if known.any() else 0.0
    return np.where(known, scores, worst - 1.0 - abs(worst))
