"""The hypervolume of a front: how much of the space of objectives it dominates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from naopt.metrics.dominance import as_points, as_reference, non_dominated
from naopt.metrics.staircase import sweep

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def hypervolume(points: ArrayLike, reference: ArrayLike) -> float:
    """Volume that points dominate above a reference (Zitzler, Thiele 1998), exact; larger is better.

    A sweep for two objectives and for three, O(n log n); for more by what each point adds to those that are better in
    the last objective (While, Bradstreet, Barone 2012), exponential in their number. Points that are not above the
    reference in every objective add nothing.

    Args:
        points: ``(n, k)`` finite; dominated and equal ones make no difference.
        reference: ``(k,)`` finite.

    Returns:
        In the product of the objectives' units; 0 without points.

    Raises:
        InputError: points or a reference of other shapes, or numbers that are not finite.
    """
    array = as_points(points)
    corner = as_reference(reference, array.shape[1])
    return _volume(array[(array > corner).all(axis=1)], corner)


def _volume(points: NDArray[np.float64], corner: NDArray[np.float64]) -> float:
    """Of points that are all above the corner."""
    objectives = len(corner)
    if not len(points):
        return 0.0
    if objectives == 1:
        return float(points.max() - corner[0])
    if objectives == 2:
        return _area(points, corner)
    if objectives == 3:
        # What a point newly dominates of the staircase is dominated from its height down to the reference.
        return sum(
            (piece.x_high - piece.x_low) * (piece.y_new - piece.y_low) * (piece.z_low - float(corner[2]))
            for piece in sweep(points, corner)
            if piece.y_new > piece.y_low
        )
    front = points[non_dominated(points)]
    front = front[np.argsort(front[:, -1], kind="stable")]
    flat = front[:, :-1]
    total = 0.0
    for index, point in enumerate(front):
        # All that follow are at least as good in the last objective, so there they limit nothing.
        shared = np.minimum(flat[index + 1 :], flat[index])
        added = float(np.prod(flat[index] - corner[:-1])) - _volume(shared, corner[:-1])
        total += added * float(point[-1] - corner[-1])
    return total


def _area(points: NDArray[np.float64], corner: NDArray[np.float64]) -> float:
    x, y = points[np.argsort(-points[:, 0], kind="stable")].T
    tops = np.maximum.accumulate(y)
    steps = np.diff(tops, prepend=corner[1])
    return float(((x - corner[0]) * steps).sum())
