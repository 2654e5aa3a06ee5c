"""When the parameters of a process are fitted anew."""

from __future__ import annotations

import math


def scheduled(count: int, growth: float, first: int = 8) -> int:
    """The largest size of a fixed schedule that is at most ``count``, or ``count`` itself below ``first``.

    The schedule begins with ``first`` and grows by the factor ``growth``, by 1 at least. What is fitted to the first so
    many measurements is a function of the measurements, whenever it is fitted.
    """
    found = size = min(first, count)
    while size <= count:
        found = size
        size = max(size + 1, math.ceil(size * growth))
    return found
