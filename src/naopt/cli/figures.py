"""Figures of a comparison as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def interval(mean: float | None, ends: Sequence[float] | None) -> str:
    """Mean and interval; a dash if there is none."""
    if mean is None or ends is None:
        return "-"
    return f"{mean:.4g} [{ends[0]:.4g}, {ends[1]:.4g}]"


def median_to_optimum(found: Mapping[str, Any], what: str, end: float | None = None) -> str:
    """Median of ``queries`` or ``wall`` time to the optimum; what is not known is beyond the end."""
    if not found["optimum_found"]:
        return "-"
    beyond = "> the end" if end is None else f"> {end:g}"
    names = f"median_{what}_to_optimum", f"median_{what}_to_optimum_ci95"
    median, low, high = (beyond if value is None else f"{value:.4g}" for value in (found[names[0]], *found[names[1]]))
    return f"{median} [{low}, {high}]"
