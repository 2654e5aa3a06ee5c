"""Distances of many points."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]


def squared_distances(first: Array, second: Array) -> Array:
    """Squared Euclidean distances ``(n, m)`` of rows ``(n, d)`` and ``(m, d)``."""
    # In place, since a scan of a space makes large ones. The second factor is always an array of its own: for a matrix
    # times itself numpy calls another routine of BLAS.
    squares: Array = first @ (-2 * second).T
    squares += (first * first).sum(axis=1)[:, None] + (second * second).sum(axis=1)
    return np.maximum(squares, 0.0, out=squares)
