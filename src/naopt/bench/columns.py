"""Statistics of values that were noted at several points of every trial."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from naopt.measurement import Goal
from naopt.metrics import Summary, censored_median, paired_columns, summarise_columns

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LARGEST = sys.float_info.max


def summaries(values: NDArray[np.float64]) -> list[Summary | None]:
    """By point, of ``(trials, points)``; ``None`` where a trial has measured nothing, which is NaN."""
    known = np.flatnonzero(np.isfinite(values).all(axis=0)).tolist()
    found: list[Summary | None] = [None] * values.shape[1]
    for index, summary in zip(known, summarise_columns(values[:, known]), strict=True):
        found[index] = summary
    return found


def regret(found: Sequence[Summary | None], best: float, goal: Goal) -> dict[str, Any]:
    """Mean distance to the best, and its interval: those of the metric, turned and moved, and nothing below zero."""
    sign = 1 if goal == "max" else -1
    ends = [s and sorted(min(_LARGEST, max(0.0, sign * (best - end))) for end in s.ci95) for s in found]
    return {"mean": [s and min(_LARGEST, abs(best - s.mean)) for s in found], "ci95": ends}


def differences(mine: NDArray[np.float64], theirs: NDArray[np.float64], goal: Goal) -> dict[str, Any]:
    """Differences ``mine - theirs``, each ``(trials, points)``, trial by trial at each point.

    ``better`` counts the trials ahead of the other's, whatever the goal.
    """
    names = ("mean_difference", "ci95", "better", "equal", "worse", "p_wilcoxon", "p_sign")
    known = np.flatnonzero(np.isfinite(mine).all(axis=0) & np.isfinite(theirs).all(axis=0))
    rows: dict[str, list[Any]] = {name: [None] * mine.shape[1] for name in names}
    for index, pair in zip(known.tolist(), paired_columns(mine[:, known], theirs[:, known]), strict=True):
        counts = (pair.larger, pair.equal, pair.smaller)
        better, equal, worse = counts if goal == "max" else counts[::-1]
        values = (pair.difference.mean, list(pair.difference.ci95), better, equal, worse, pair.p_wilcoxon, pair.p_sign)
        for name, value in zip(names, values, strict=True):
            rows[name][index] = value
    return rows


def times_to(what: str, hits: Sequence[float | None]) -> dict[str, Any]:
    """When each trial found the optimum, in queries or otherwise, and the median; ``None`` is beyond the end."""
    median = censored_median([np.inf if hit is None else hit for hit in hits])
    return {
        f"{what}_to_optimum": list(hits),
        "optimum_found": median.found,
        f"median_{what}_to_optimum": median.median,
        f"median_{what}_to_optimum_ci95": list(median.ci95),
    }
