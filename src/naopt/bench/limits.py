"""Limits on a whole table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from naopt.errors import InputError
from naopt.problem import Limit, Problem, closest_to
from naopt.tables import Table

if TYPE_CHECKING:
    from numpy.typing import NDArray


def rows_within(table: Table, limits: Sequence[Limit]) -> NDArray[np.bool_]:
    """Which rows ``(n,)`` keep all limits; one whose metric was not measured does not.

    Raises:
        UnknownNameError: a metric that the table does not have.
    """
    within = np.ones(len(table), dtype=np.bool_)
    for limit in limits:
        within &= limit.share(table.values(limit.metric)) == 0
    return within


def check_limits(table: Table, problem: Problem) -> None:
    """Raises ``InputError``, with the row that comes closest, if none keeps the limits and has all objectives."""
    whole = np.all([np.isfinite(table.values(objective.metric)) for objective in problem.objectives], axis=0)
    if not whole.any():
        names = ", ".join(objective.metric for objective in problem.objectives)
        raise InputError("objectives", names, f"no row of table {table.name} has them all")
    if (rows_within(table, problem.limits) & whole).any():
        return
    limits = " and ".join(map(str, problem.limits))
    limited = {limit.metric: np.where(whole, table.values(limit.metric), np.nan) for limit in problem.limits}
    _, beyond, has = closest_to(problem.limits, limited)
    closest = f"; the closest has {has}" if np.isfinite(beyond) else ""
    raise InputError("limit", limits, f"no row of table {table.name} keeps it{closest}")
