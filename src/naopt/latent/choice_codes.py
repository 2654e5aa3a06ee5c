"""What a choice looks like to a model: a column of its own, or its rank on the scale of its position."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from naopt.spaces import Position

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

MOST_COLUMNS = 64
"""A position with more choices that are on a scale has one column, their rank, instead of one for each."""
_CACHED = 256


@lru_cache(maxsize=_CACHED)
def choice_ranks(position: Position) -> Array | None:
    """Ranks ``(choices,)`` from 0 to 1 of at least 3 choices that are ordered or all numbers; else ``None``.

    The rank is a choice's place where the order was given with the space, else that of its number. Read-only.
    """
    names = range(len(position.choices)) if position.ordered else position.choices
    try:
        values = np.array([float(name) for name in names])
    except ValueError:
        return None
    if len(values) < 3 or not np.isfinite(values).all() or len(set(values)) < len(values):
        return None
    ranks: Array = values.argsort().argsort() / (len(values) - 1)
    ranks.setflags(write=False)
    return ranks


def scale_of(position: Position) -> Array | None:
    """Ranks of a position whose choices are seen by nothing else: those on a scale with more than ``MOST_COLUMNS``."""
    return choice_ranks(position) if len(position.choices) > MOST_COLUMNS else None


def columns_of(position: Position) -> int:
    """How many columns a position has."""
    return len(position.choices) if scale_of(position) is None else 1
