"""Noise of surrogate benchmarks: how far repeats of a training scatter, by what was predicted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from naopt.tables import NoiseModel

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAST_ROWS = 50
"""So many measured rows a surrogate needs, and so many with repeats its noise."""
_RANGES, _RANGE_ROWS = 10, 50
_CENTRAL = (0.158655, 0.841345)
"""Between these quantiles of a normal distribution lie two standard deviations."""


def noise_model(
    repeats: NDArray[np.float64], predicted: NDArray[np.float64], measured: NDArray[np.float64], drawn: int
) -> NoiseModel:
    """Deviations of single repeats in ranges of the prediction.

    A deviation is half the width of the central 68 % of the scatter, which the few trainings that fail do not change.
    Deviations from the mean of ``k`` repeats are too small by ``sqrt((k - 1) / k)``, which is made up for.
    """
    count = np.isfinite(repeats).sum(axis=1)
    several = count > 1
    origin: Literal["repeats", "residuals"] = "repeats" if several.sum() >= LEAST_ROWS else "residuals"
    if origin == "repeats":
        scale = np.sqrt(count[several] / (count[several] - 1))
        scatter = (repeats[several] - measured[several, None]) * scale[:, None]
        place = np.repeat(predicted[several][:, None], repeats.shape[1], axis=1)[np.isfinite(scatter)]
        scatter = scatter[np.isfinite(scatter)]
    else:
        scatter, place = measured - predicted, predicted
    ranges = max(1, min(_RANGES, len(scatter) // _RANGE_ROWS))
    edges = np.unique(np.quantile(place, np.arange(1, ranges) / ranges))
    at = np.searchsorted(edges, place, side="right")
    overall = _deviation(scatter)
    found = [_deviation(scatter[at == index]) if (at == index).any() else overall for index in range(len(edges) + 1)]
    return NoiseModel(origin=origin, edges=tuple(edges.tolist()), deviations=tuple(found), repeats=drawn)


def _deviation(scatter: NDArray[np.float64]) -> float:
    low, high = np.quantile(scatter, _CENTRAL)
    return float((high - low) / 2)


def scatter_of(predicted: NDArray[np.float64], noise: NoiseModel, rng: np.random.Generator) -> NDArray[np.float64]:
    """``(n, repeats)`` normal noise that sums to zero in each row; one repeat alone has the model's deviation."""
    if noise.repeats == 1:
        return np.zeros((len(predicted), 1))
    deviation = np.array(noise.deviations)[np.searchsorted(noise.edges, predicted, side="right")]
    drawn = rng.standard_normal((len(predicted), noise.repeats))
    drawn -= drawn.mean(axis=1, keepdims=True)
    scaled: NDArray[np.float64] = drawn * deviation[:, None] * np.sqrt(noise.repeats / (noise.repeats - 1))
    return scaled
