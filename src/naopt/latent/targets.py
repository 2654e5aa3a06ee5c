"""Targets that a predictor can learn, whatever the pool of measurements looks like."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy.special import ndtri

from naopt.metrics.scale import exponent, scaled, unscaled

if TYPE_CHECKING:
    from numpy.typing import NDArray

Normalisation = Literal["yeo-johnson", "rank", "min-max", "standard"]

_POWERS = np.linspace(0, 2, 41)
"""From the logarithm of what lies above the middle to that of what lies below."""
_QUARTILES = 1.349
"""How far those of a normal distribution are apart, in deviations."""
_FAR = 10.0
_LEAST = 1e-290
_MOST_OFF = 1e3
"""Times the range of the pool that a standard error may be."""


@dataclass(frozen=True)
class Targets:
    """A monotone map between scores and targets, fitted on a pool of scores.

    ``rank`` maps a score to the normal quantile of its mid-rank, so that one outlier at 10 % accuracy neither
    squeezes the others together nor saturates anything. ``yeo-johnson`` is the power of Yeo & Johnson 2000 by its
    likelihood (as in Cowen-Rivers et al. 2022): outliers do no harm either, but scores stay as far apart as they are,
    so that what differs by less than the noise is not pulled apart because it is on top, and ties matter little.
    ``min-max`` (paper and program) maps the pool's range to [0, 1], ``standard`` its mean and deviation to 0 and 1. A
    constant pool maps to a constant target in the middle.

    Attributes:
        kind: see above.
        scores: the distinct ones of the pool, ascending.
        targets: of these.
        unit: scores are computed with in units of 2 ** unit, so they may be as large or small as floats are.
    """

    kind: Normalisation
    scores: NDArray[np.float64]
    targets: NDArray[np.float64]
    unit: int

    @classmethod
    def fit(cls, scores: NDArray[np.float64], kind: Normalisation) -> Targets:
        """Fits on finite scores ``(n,)``, ``n >= 1``. Raises ``ValueError`` for none or for one that is not finite."""
        if not len(scores) or not np.isfinite(scores).all():
            raise ValueError("targets need at least one score, all finite")
        unit = exponent(scores)
        distinct, first = np.unique(scores, return_index=True)
        given, scores = scores, scaled(scores, unit)
        low, spread = float(scores.min()), float(np.ptp(scores))
        if kind == "rank":
            ordered = np.sort(given)
            ranks = (np.searchsorted(ordered, given) + np.searchsorted(ordered, given, "right") + 1) / 2
            targets = ndtri((ranks - 0.5) / len(given))
        elif kind == "min-max":
            targets = (scores - low) / spread if spread > 0 else np.full(len(scores), 0.5)
        elif spread == 0:
            targets = np.zeros(len(scores))
        else:
            targets = _standardised(_likeliest_power(scores) if kind == "yeo-johnson" else scores)
        return cls(kind, distinct, np.asarray(targets, dtype=np.float64)[first], unit)

    def transform(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Targets of scores, the pool's or others; linear between those of the pool and beyond its ends."""
        between = _interpolate(scaled(scores, self.unit), scaled(self.scores, self.unit), self.targets)
        at = np.minimum(np.searchsorted(self.scores, scores), len(self.scores) - 1)
        return np.where(self.scores[at] == scores, self.targets[at], between)

    def variances(self, scores: NDArray[np.float64], errors: NDArray[np.float64]) -> NDArray[np.float64]:
        """Squares of what standard errors ``(n,)`` of scores ``(n,)`` are in targets: half of what two of them span.

        An error of a thousand times the pool's range says as little as a larger one, and its square is still a number.
        """
        pool, middle = scaled(self.scores, self.unit), scaled(scores, self.unit)
        with np.errstate(over="ignore"):
            off = np.minimum(scaled(errors, self.unit), _MOST_OFF * np.ptp(pool))
        spans = _interpolate(middle + off, pool, self.targets) - _interpolate(middle - off, pool, self.targets)
        result: NDArray[np.float64] = (spans / 2) ** 2
        return result

    def inverse(self, targets: NDArray[np.float64]) -> NDArray[np.float64]:
        """Scores that belong to targets; the same scale as the pool's, constant if the pool is."""
        return unscaled(_interpolate(targets, self.targets, scaled(self.scores, self.unit)), self.unit)


def _standardised(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    deviation = float(scores.std())
    return (scores - scores.mean()) / deviation if deviation > 0 else np.zeros(len(scores))


def _likeliest_power(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scores to the power by which they look most normal: Yeo & Johnson 2000, Eq. 2.1 and 3.1.

    Median and quartiles come to 0 and about -0.67 and 0.67 first, for a mean and a deviation are those of the outliers;
    what is more than ``_FAR`` away comes closer by a logarithm, for no power helps against a perplexity of a million.
    The powers stand on a grid, so that rounding does not choose among them.
    """
    low, middle, high = np.quantile(scores, [0.25, 0.5, 0.75])
    scale = (high - low) / _QUARTILES if high > low else float(scores.std())
    scores = (scores - middle) / max(scale, _LEAST)
    beyond = np.maximum(np.abs(scores) - _FAR, 0)
    scores = np.sign(scores) * (np.minimum(np.abs(scores), _FAR) + np.log1p(beyond))
    sizes = np.log1p(np.abs(scores))
    tilt = float((np.sign(scores) * sizes).sum())
    powered = [_powered(scores, sizes, power) for power in _POWERS.tolist()]
    fits = [(p - 1) * tilt - len(scores) / 2 * np.log(y.var()) for p, y in zip(_POWERS.tolist(), powered, strict=True)]
    return powered[int(np.argmax(np.round(fits, 9)))]


def _powered(scores: NDArray[np.float64], sizes: NDArray[np.float64], power: float) -> NDArray[np.float64]:
    """``sizes`` are ``log(1 + |scores|)``; both branches of the definition are one of them, mirrored."""
    exponent = np.where(scores < 0, 2 - power, power)
    plain = np.where(exponent == 0, 1.0, exponent)
    grown = np.where(exponent == 0, sizes, np.expm1(exponent * sizes) / plain)
    result: NDArray[np.float64] = np.sign(scores) * grown
    return result


def _interpolate(x: NDArray[np.float64], xs: NDArray[np.float64], ys: NDArray[np.float64]) -> NDArray[np.float64]:
    """Monotone piecewise linear through ``(xs, ys)``, ``xs`` ascending; outside with the mean slope of the whole."""
    inside = np.interp(x, xs, ys)
    slope = (ys[-1] - ys[0]) / (xs[-1] - xs[0]) if len(xs) > 1 else 0.0
    result: NDArray[np.float64] = inside + slope * (np.minimum(x - xs[0], 0) + np.maximum(x - xs[-1], 0))
    return result
