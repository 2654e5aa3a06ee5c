"""Kernels of one group of features, as functions of squared distances."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from naopt.latent.distances import squared_distances

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

Kernel = Literal["rbf", "matern"]
Kind = Literal["rbf", "matern", "linear"]


def apart(kind: Kind, first: Array, second: Array) -> Array:
    """Squared distances ``(n, m)`` of rows ``(n, d)`` and ``(m, d)``; of linear kernels inner products."""
    return first @ second.T.copy() if kind == "linear" else squared_distances(first, second)


def scale_of(kind: Kind, squares: Array) -> float:
    """The median of squared distances of what is apart; 1 for linear kernels, and where nothing is."""
    if kind == "linear":
        return 1.0
    distinct = squares[squares > 1e-9]
    return float(np.median(distinct)) if len(distinct) else 1.0


def value_of(kind: Kind, squares: Array) -> Array:
    """Kernel as a function of the squared distance in length scales, or of what a linear one has in its place."""
    if kind == "linear":
        return squares
    if kind == "rbf":
        value = -0.5 * squares
        return np.exp(value, out=value)
    return value_and_slope(kind, squares)[0]


def weighted(kind: Kind, squares: Array, weight: float) -> tuple[Array, Array]:
    """The kernel times its weight, and the derivative of that with respect to the logarithm of the length scale."""
    if kind == "linear":
        return weight * squares, np.zeros_like(squares)
    if kind == "rbf":
        part = value_of(kind, squares)
        part *= weight
        return part, part * squares
    value, slope = value_and_slope(kind, squares)
    return weight * value, -2 * weight * slope * squares


def value_and_slope(kind: Kind, squares: Array) -> tuple[Array, Array]:
    """The kernel and its derivative."""
    if kind == "linear":
        return squares, np.ones_like(squares)
    if kind == "rbf":
        value = value_of(kind, squares)
        return value, -0.5 * value
    decay = np.exp(-(distance := np.sqrt(5.0 * squares)))
    return (1 + distance + distance * distance / 3) * decay, -(5.0 / 6.0) * (1 + distance) * decay
