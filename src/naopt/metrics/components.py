"""Variance components of repeated measurements: what groups differ in by themselves, and what repeats differ in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from naopt.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, eq=False, slots=True)
class VarianceComponents:
    """Of the sample, or of each of its resamples: arrays ``(b,)``, NaN where a figure is not defined.

    Attributes:
        mean: of the groups' means.
        signal: variance between groups, that of repeats taken out; at least 0.
        noise: variance between repeats of one group.
    """

    mean: NDArray[np.float64]
    signal: NDArray[np.float64]
    noise: NDArray[np.float64]

    @property
    def reliability(self) -> NDArray[np.float64]:
        """Share of the groups in the variance of one repeat: the intraclass correlation ICC(1)."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return self.signal / (self.signal + self.noise)


def variance_components(scores: ArrayLike, counts: ArrayLike | None = None) -> VarianceComponents:
    """One-way analysis of variance with random groups (Searle, Casella, McCulloch 1992, section 3.6).

    ``noise`` is the mean square within groups, ``signal`` is ``(between - within) / n0``, where ``n0`` is the number of
    repeats, or, where some are missing, ``(N - sum n_i^2 / N) / (g - 1)``; below 0 it is 0.

    A resample of groups has copies, between which there is nothing: its mean square between groups is too small by ``(g
    - 1) / g`` on average, which is made up for.

    Args:
        scores: ``(m, k)``, a row a group; NaN where nothing was measured. Groups without any repeat are left out.
        counts: ``(b, m)``, how often each resample has each group; ``None`` for the sample itself, which is b = 1.

    Raises:
        InputError: scores or counts of another shape.
    """
    table = np.asarray(scores, dtype=np.float64)
    if table.ndim != 2:
        raise InputError("scores", str(table.shape), "must be a table, a row a group and a column a repeat")
    drawn = _counts(counts, len(table))
    known = np.isfinite(table)
    repeats = known.sum(axis=1).astype(np.float64)
    with np.errstate(all="ignore"):
        filled = np.where(known, table, 0.0)
        centre = filled.sum() / repeats.sum() if repeats.sum() else np.nan
        own = np.where(repeats > 0, filled.sum(axis=1) / repeats - centre, 0.0)
        within = np.where(known, (table - centre - own[:, None]) ** 2, 0.0).sum(axis=1)
        drawn = drawn * (repeats > 0)
        groups, total = drawn.sum(axis=1), drawn @ repeats
        middle = (drawn @ (repeats * own)) / total
        between = np.maximum(drawn @ (repeats * own**2) - total * middle**2, 0.0) * _copies(counts, repeats > 0)
        noise = np.where(total > groups, (drawn @ within) / (total - groups), np.nan)
        each = (total - (drawn @ repeats**2) / total) / (groups - 1)
        signal = np.maximum((between / (groups - 1) - noise) / each, 0.0)
        return VarianceComponents(centre + (drawn @ own) / groups, signal, noise)


def covariances(first: ArrayLike, second: ArrayLike, counts: ArrayLike | None = None) -> NDArray[np.float64]:
    """Covariance of two figures of each group, with the divisor ``g - 1``: ``(b,)``, NaN of less than two groups.

    Of means of repeats whose errors are independent it is that of what groups have by themselves.

    Args:
        first: ``(m,)``; groups in which either is NaN are left out.
        second: ``(m,)``.
        counts: as in ``variance_components``, which makes up for copies likewise.

    Raises:
        InputError: figures or counts of other shapes.
    """
    x, y = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if x.ndim != 1 or x.shape != y.shape:
        raise InputError("scores", f"{x.shape} and {y.shape}", "must be two vectors of equal length")
    both = np.isfinite(x) & np.isfinite(y)
    drawn = _counts(counts, len(x)) * both
    with np.errstate(all="ignore"):
        x = np.where(both, x - x[both].mean(), 0.0) if both.any() else np.zeros(len(x))
        y = np.where(both, y - y[both].mean(), 0.0) if both.any() else np.zeros(len(y))
        groups = drawn.sum(axis=1)
        product = drawn @ (x * y) - (drawn @ x) * (drawn @ y) / groups
        found: NDArray[np.float64] = product * _copies(counts, both) / (groups - 1)
        return np.where(groups > 1, found, np.nan)


def _counts(counts: ArrayLike | None, groups: int) -> NDArray[np.float64]:
    drawn = np.ones((1, groups)) if counts is None else np.asarray(counts, dtype=np.float64)
    if drawn.ndim != 2 or drawn.shape[1] != groups:
        raise InputError("counts", str(drawn.shape), f"must have a column for each of {groups} groups")
    return drawn


def _copies(counts: ArrayLike | None, known: NDArray[np.bool_]) -> float:
    groups = int(known.sum())
    return 1.0 if counts is None or groups < 2 else groups / (groups - 1)
