"""How good a front is, and which of its points to take. Larger is better in every objective."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from naopt.errors import InputError
from naopt.metrics.dominance import as_points, non_dominated

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_CHUNK = 1_000_000
"""Distances held at once."""


def igd_plus(points: ArrayLike, front: ArrayLike) -> float:
    """How far a front is from what was found: modified inverted generational distance (IGD+; Ishibuchi et al. 2015).

    The mean over the front of the distance to the nearest point, in which only objectives count where the point is
    worse. Zero where every member of the front is found or surpassed.

    Args:
        points: ``(n, k)`` finite, n >= 1; dominated ones make no difference.
        front: ``(m, k)`` finite, m >= 1, in the same units, which distances mix: normalise first.

    Raises:
        InputError: no points, or no front; other shapes, or numbers that are not finite.
    """
    found, wanted = as_points(points), as_points(front)
    if not len(found) or not len(wanted) or found.shape[1] != wanted.shape[1]:
        rule = "must be at least one of each, of as many objectives"
        raise InputError("points and front", f"{found.shape} and {wanted.shape}", rule)
    step = max(1, _CHUNK // found.size)
    nearest = [
        np.sqrt((np.maximum(part[:, None] - found, 0) ** 2).sum(axis=2)).min(axis=1)
        for part in (wanted[begin : begin + step] for begin in range(0, len(wanted), step))
    ]
    return float(np.concatenate(nearest).mean())


def knee(points: ArrayLike) -> int:
    """The index of the point where giving up a little of one objective costs much of another.

    It is the one farthest above the plane on which the objectives, normalised to 0..1 by the front's own range, sum to
    1. For two objectives this is the line through the front's ends, as Das (1999) has it; for more the ends may lie on
    no plane, or on one that cuts the front, and this one is always there. Dominated points do not count; of equally far
    ones it is the first.

    Args:
        points: ``(n, k)`` finite, n >= 1.

    Raises:
        InputError: no points; another shape, or numbers that are not finite.
    """
    array = as_points(points)
    if not len(array):
        raise InputError("points", str(array.shape), "must be at least one")
    members = np.flatnonzero(non_dominated(array))
    front = array[members]
    low, spread = front.min(axis=0), np.ptp(front, axis=0)
    heights = ((front - low) / np.where(spread > 0, spread, 1)).sum(axis=1)
    # Sums that only rounding tells apart are equal.
    return int(members[np.flatnonzero(heights >= heights.max() - 1e-12)[0]])


def attainment(runs: Sequence[ArrayLike], share: float = 0.5) -> NDArray[np.float64]:
    """The surface that a share of the runs attain, for two objectives (Fonseca, Fleming 1996).

    A run attains all that one of its points equals or dominates. With a share of 0.5 this is the median surface: what
    at least half of the runs attain.

    Args:
        runs: at least one run, each ``(n, 2)`` finite; a run may have no points.
        share: in (0, 1].

    Returns:
        Corners ``(m, 2)``, the first objective ascending, none dominated: the surface is all that they dominate. None
        where too few runs have any point.

    Raises:
        InputError: no run, a share out of range, or points that are not of two finite objectives.
    """
    sets = [as_points(run) for run in runs]
    if not sets or any(points.shape[1] != 2 for points in sets):
        raise InputError("runs", len(sets), "must be at least one, of two objectives each")
    if not 0 < share <= 1:
        raise InputError("share", share, "must be above 0, and at most 1")
    firsts = np.unique(np.concatenate([points[:, 0] for points in sets]))
    best = np.full((len(sets), len(firsts)), -np.inf)
    for reached, points in zip(best, sets, strict=True):
        np.maximum.at(reached, np.searchsorted(firsts, points[:, 0]), points[:, 1])
        reached[:] = np.maximum.accumulate(reached[::-1])[::-1]
    # A share such as 0.7 of 10 runs is 7 of them, whatever it is in binary.
    needed = math.ceil(share * len(sets) - 1e-9)
    seconds = np.sort(best, axis=0)[len(sets) - needed]
    reached_by_enough = np.isfinite(seconds)
    corners = np.stack([firsts[reached_by_enough], seconds[reached_by_enough]], axis=1)
    return corners[non_dominated(corners)]
