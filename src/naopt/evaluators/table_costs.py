"""Columns of a table that say what an architecture costs, which is known without training it."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from naopt.errors import UnknownNameError
from naopt.spaces import Architecture
from naopt.tables import Table

if TYPE_CHECKING:
    from numpy.typing import NDArray

NOTHING = "none"
_WORDS = frozenset({
    "param", "params", "parameter", "parameters", "flop", "flops", "mac", "macs", "madd", "madds", "multadds",
    "multiadds", "latency", "energy", "memory", "activations",
})  # fmt: skip
_PERHAPS = _WORDS | {"ms", "mj", "mb", "size", "bytes", "runtime", "inference", "power", "throughput", "fps", "area"}
_NOT_COSTS = frozenset({"acc", "accuracy", "error", "loss", "train", "training"})
"""Words of names before a slash that are costs, that may be, and that are none: ``params_m``, ``edge_ms/pi4``."""


class TableCosts:
    """Costs that a table has in every row.

    Args:
        table: where they are looked up.
        names: columns; by default those that are called like a cost, are better when smaller and are known everywhere.
    """

    def __init__(self, table: Table, names: Sequence[str]) -> None:
        self._table = table
        self._values = {name: table.values(name) for name in names}

    @property
    def metrics(self) -> Collection[str]:
        """See ``Costs``."""
        return self._values.keys()

    def of(self, architectures: Sequence[Architecture]) -> Mapping[str, NDArray[np.float64]]:
        """See ``Costs``; NaN for what has no row."""
        rows = [self._table.row(architecture) for architecture in architectures]
        at = np.array([-1 if row is None else row for row in rows], dtype=np.int64)
        return {name: np.where(at < 0, np.nan, values[at]) for name, values in self._values.items()}


def table_costs(table: Table, known: Sequence[str] = ()) -> TableCosts | None:
    """What a table knows without an evaluation; ``None`` for nothing.

    Args:
        table: which.
        known: names of columns, or ``none``; found by name if there are none.

    Raises:
        UnknownNameError: a column that is not there.
    """
    for name in known:
        if name not in table.infos and tuple(known) != (NOTHING,):
            raise UnknownNameError(f"--known, metric of table {table.name}", name, table.infos)
    names = [] if tuple(known) == (NOTHING,) else list(known) or [n for n in table.infos if _is_cost(table, n)]
    return TableCosts(table, names) if names else None


def hidden_costs(table: Table, names: Sequence[str], known: Collection[str]) -> list[str]:
    """Of columns that are wanted those that look like costs, and are there in every row, but cost queries.

    Args:
        table: which.
        names: of columns.
        known: those that cost none.
    """
    called = [name for name in names if name not in known and _is_called(name, _PERHAPS)]
    return [name for name in called if _is_whole(table, name)]


def _is_cost(table: Table, name: str) -> bool:
    return _is_called(name, _WORDS) and table.infos[name].goal == "min" and _is_whole(table, name)


def _is_called(name: str, costs: Collection[str]) -> bool:
    words = set(re.split(r"[^a-z0-9]+", name.partition("/")[0].lower()))
    return bool(words.intersection(costs)) and not words & _NOT_COSTS


def _is_whole(table: Table, name: str) -> bool:
    return bool(np.isfinite(table.values(name)).all())
