"""Limits on a whole table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from naopt.errors import InputError
from naopt.problem import Limit, Problem
from naopt.tables import Table

if TYPE_CHECKING:
    from numpy.typing import NDArray


def rows_within(table: Table, limits: Sequence[Limit]) -> NDArray[np.bool_]:
    """Which rows ``(n,)`` keep all limits; one whose metric was not measured does not.

    Raises:
        UnknownNameError: a metric that the table does not have.
    """
    within: NDArray[np.bool_] = _excess(table, limits) == 0
    return within


def check_limits(table: Table, problem: Problem) -> None:
    """Raises ``InputError``, with the row that comes closest, if none keeps the limits and has all objectives."""
    whole = np.all([np.isfinite(table.values(objective.metric)) for objective in problem.objectives], axis=0)
    if not whole.any():
        names = ", ".join(objective.metric for objective in problem.objectives)
        raise InputError("objectives", names, f"no row of table {table.name} has them all")
    excess = np.where(whole, _excess(table, problem.limits), np.inf)
    if (excess == 0).any():
        return
    limits = " and ".join(map(str, problem.limits))
    row = int(np.argmin(excess))
    limited = dict.fromkeys(limit.metric for limit in problem.limits)
    has = ", ".join(f"{name} {table.values(name)[row]:g}" for name in limited)
    closest = f"; the closest has {has}" if np.isfinite(excess[row]) else ""
    raise InputError("limit", limits, f"no row of table {table.name} keeps it{closest}")


def _excess(table: Table, limits: Sequence[Limit]) -> NDArray[np.float64]:
    """By how much each row breaks the limits ``(n,)``, in shares of these."""
    total = np.zeros(len(table))
    for limit in limits:
        values = table.values(limit.metric)
        beyond = np.maximum(0.0, values - limit.value if limit.bound == "max" else limit.value - values)
        total += np.where(np.isnan(values), np.inf, beyond / (abs(limit.value) or 1.0))
    return total
