"""What a front leaves to be found, cut into boxes: sums over them are expected improvements of hypervolume."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from naopt.metrics.dominance import as_points, as_reference, non_dominated
from naopt.metrics.staircase import sweep

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

Boxes = tuple["NDArray[np.float64]", "NDArray[np.float64]"]


def boxes(front: ArrayLike, reference: ArrayLike) -> Boxes:
    """Disjoint boxes that make up what is above a reference and dominated by no point of a front; larger is better.

    By how much a point ``y`` would enlarge the front's hypervolume is the sum over the boxes of the product of
    ``clip(min(y, upper) - lower, 0)``.

    One box more than points for two objectives; at most twice as many and one for three, by a sweep; for more by local
    upper bounds (Lacour, Klamroth, Fonseca 2017, proposition 2.2), applied to those of the front.

    Args:
        front: ``(n, k)`` finite; dominated points, equal ones, and those not above the reference make no difference.
        reference: ``(k,)`` finite.

    Returns:
        Lower and upper corners, each ``(m, k)``; upper ones may be infinite. Without points one box.

    Raises:
        InputError: points or a reference of other shapes, or numbers that are not finite.
    """
    points = as_points(front)
    corner = as_reference(reference, points.shape[1])
    points = points[(points > corner).all(axis=1)]
    if not len(points):
        return corner[None].copy(), np.full((1, len(corner)), np.inf)
    if len(corner) == 1:
        return points.max(axis=0)[None], np.full((1, 1), np.inf)
    if len(corner) == 2:
        return _strips(points, corner)
    if len(corner) == 3:
        pieces = [piece for piece in sweep(points, corner) if piece.z_low < piece.z_high]
        lower = np.array([(piece.x_low, piece.y_low, piece.z_low) for piece in pieces])
        upper = np.array([(piece.x_high, np.inf, piece.z_high) for piece in pieces])
        return lower, upper
    return _from_bounds(np.unique(points[non_dominated(points)], axis=0), corner)


def _strips(points: NDArray[np.float64], corner: NDArray[np.float64]) -> Boxes:
    front = np.unique(points[non_dominated(points)], axis=0)
    ends = np.concatenate([corner[:1], front[:, 0], [np.inf]])
    floors = np.concatenate([front[:, 1], corner[1:]])
    return np.stack([ends[:-1], floors], axis=1), np.stack([ends[1:], np.full(len(floors), np.inf)], axis=1)


def _from_bounds(front: NDArray[np.float64], corner: NDArray[np.float64]) -> Boxes:
    """What the front leaves is what its local bounds dominate, looked at from the other side."""
    bounds, _ = _local_upper_bounds(-front, -corner)
    tops, defining = _local_upper_bounds(np.unique(-bounds, axis=0), np.full(len(corner), np.inf))
    lower, upper = tops.copy(), tops.copy()
    upper[:, 0] = np.inf
    for axis in range(1, len(corner)):
        lower[:, axis] = defining[:, :axis, axis].max(axis=1)
    filled = (lower < upper).all(axis=1)
    return lower[filled], upper[filled]


def _local_upper_bounds(points: NDArray[np.float64], reference: NDArray[np.float64]) -> Boxes:
    """Local upper bounds ``(m, k)`` of points of which smaller is better, and their defining points ``(m, k, k)``.

    What no point dominates below the reference is the union of what is below a bound. The defining point ``j`` of a
    bound is one that has the bound's value of the objective ``j``, and smaller ones of all others.
    """
    objectives = len(reference)
    bounds = reference[None]
    defining = np.where(np.eye(objectives, dtype=np.bool_), reference, -np.inf)[None]
    for point in points:
        inside = (point < bounds).all(axis=1)
        cut, behind = bounds[inside], defining[inside]
        kept_bounds, kept_defining = [bounds[~inside]], [defining[~inside]]
        for axis in range(objectives):
            others = np.delete(behind[:, :, axis], axis, axis=1).max(axis=1, initial=-np.inf)
            chosen = point[axis] >= others
            new, new_behind = cut[chosen], behind[chosen]
            new[:, axis] = point[axis]
            new_behind[:, axis] = point
            kept_bounds.append(new)
            kept_defining.append(new_behind)
        bounds, defining = np.concatenate(kept_bounds), np.concatenate(kept_defining)
    return bounds, defining
