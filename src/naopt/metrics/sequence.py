"""Distances between token sequences."""

from __future__ import annotations

from collections.abc import Sequence

from naopt.errors import InputError


def hamming_distance(first: Sequence[int], second: Sequence[int]) -> int:
    """Number of positions at which two sequences of equal length differ (NAO, section 4.1).

    Raises:
        InputError: the lengths differ.
    """
    if len(first) != len(second):
        raise InputError("sequences", f"{len(first)} and {len(second)} tokens", "must be equally long")
    return sum(a != b for a, b in zip(first, second, strict=True))
