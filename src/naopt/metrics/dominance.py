"""Which points are dominated by others. Larger is better in every objective."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from naopt.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def non_dominated(points: ArrayLike) -> NDArray[np.bool_]:
    """Which of the points ``(n, k)`` no other dominates: a mask ``(n,)``.

    A point dominates another that it equals or exceeds in every objective and exceeds in one. So equal points do not
    dominate each other: of the best all copies are kept.

    Raises:
        InputError: points of another shape, or numbers that are not finite.
    """
    array = as_points(points)
    # Ascending, so that none is dominated by one that comes before it.
    distinct, copies = np.unique(array, axis=0, return_inverse=True)
    best = np.zeros(len(distinct), dtype=np.bool_)
    left = np.arange(len(distinct))[::-1]
    while len(left):
        first, rest = left[0], left[1:]
        best[first] = True
        left = rest[(distinct[rest] > distinct[first]).any(axis=1)]
    kept: NDArray[np.bool_] = best[copies.reshape(-1)]
    return kept


def non_dominated_ranks(points: ArrayLike) -> NDArray[np.int64]:
    """The front that each of the points ``(n, k)`` is in: ``(n,)``, 0 for what nothing dominates, and so on.

    The front ``i + 1`` is what nothing dominates once the fronts up to ``i`` are taken away (non-dominated sorting; Deb
    et al. 2002, section III.A). Equal points have equal ranks.

    Raises:
        InputError: points of another shape, or numbers that are not finite.
    """
    array = as_points(points)
    ranks = np.zeros(len(array), dtype=np.int64)
    left = np.arange(len(array))
    while len(left):
        ranks[left] = ranks[left] + 1
        left = left[~non_dominated(array[left])]
    return ranks - 1


def crowding(points: ArrayLike) -> NDArray[np.float64]:
    """How far the neighbours of each point ``(n, k)`` of one front are: ``(n,)``, larger where it is emptier.

    Of each objective the distance between the next smaller and the next larger point, in shares of the front's range,
    summed over the objectives; infinite at either end of any (Deb et al. 2002, section III.B). An objective in which
    all points are equal counts for nothing.

    Raises:
        InputError: points of another shape, or numbers that are not finite.
    """
    array = as_points(points)
    found = np.zeros(len(array))
    for values in array.T:
        order = np.argsort(values, kind="stable")
        ordered = values[order]
        if not len(ordered) or ordered[0] == ordered[-1]:
            continue
        found[order[1:-1]] += (ordered[2:] - ordered[:-2]) / (ordered[-1] - ordered[0])
        found[order[[0, -1]]] = np.inf
    return found


def as_points(points: ArrayLike) -> NDArray[np.float64]:
    """``(n, k)`` finite numbers, k >= 1, or ``InputError``."""
    array = np.asarray(points, dtype=np.float64)
    if array.ndim != 2 or not array.shape[1] or not np.isfinite(array).all():
        raise InputError("points", str(array.shape), "must be a table of finite numbers, one column an objective")
    return array


def as_reference(reference: ArrayLike, objectives: int) -> NDArray[np.float64]:
    """``(k,)`` finite numbers, or ``InputError``."""
    array = np.asarray(reference, dtype=np.float64)
    if array.shape != (objectives,) or not np.isfinite(array).all():
        raise InputError("reference", str(array.tolist()), f"must be {objectives} finite numbers, one an objective")
    return array
