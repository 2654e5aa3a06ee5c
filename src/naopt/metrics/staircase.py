"""The sweep of three objectives that hypervolumes and boxes are made of."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Piece:
    """A box ``(x_low, x_high] x (y_low, inf) x (z_low, z_high]`` that no point dominates; it may have no height.

    The point that ended it has ``y_new`` and ``z_low``, and dominates what is below the box, up to ``y_new``. Where the
    reference ended it, ``y_new`` is ``y_low``.
    """

    x_low: float
    x_high: float
    y_low: float
    y_new: float
    z_low: float
    z_high: float


def sweep(points: NDArray[np.float64], reference: NDArray[np.float64]) -> Iterator[Piece]:
    """Cuts what ``(n, 3)`` points leave undominated above a reference ``(3,)`` into at most ``2 n + 1`` pieces.

    Larger is better. From the largest ``z`` down; at each height the undominated ``(x, y)`` lie above a staircase, one
    strip a step (the dimension sweep of Fonseca, Paquete, López-Ibáñez 2006). O(n log n).
    """
    x_end, y_end, z_end = reference.tolist()
    above = points[(points > reference).all(axis=1)]
    # A point comes after all that dominate it.
    order = np.lexsort((-above[:, 1], -above[:, 0], -above[:, 2]))
    # The strip i is xs[i - 1] < x <= xs[i] and y > ys[i], up to heights[i].
    xs, ys, heights = [inf], [y_end], [inf]
    for x, y, z in above[order].tolist():
        last = bisect_left(xs, x)
        if ys[last] >= y:
            continue
        first = last
        while first and ys[first - 1] <= y:
            first -= 1
        begin = x_end if not first else xs[first - 1]
        low = begin
        for index in range(first, last + 1):
            high = min(xs[index], x)
            yield Piece(low, high, ys[index], y, z, heights[index])
            low = high
        cut = slice(first, last + (xs[last] == x))
        xs[cut], ys[cut], heights[cut] = [x], [y], [z]
    low = x_end
    for high, y, height in zip(xs, ys, heights, strict=True):
        yield Piece(low, high, y, y, z_end, height)
        low = high
