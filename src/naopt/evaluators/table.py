"""Looks measurements up in a table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from naopt.errors import InputError
from naopt.evaluators.base import Evaluator, evaluators
from naopt.measurement import Measurement
from naopt.spaces import Architecture
from naopt.tables import Table, load_table


@evaluators.register("table")
class TableEvaluator(Evaluator):
    """Looks architectures up in a benchmark table; costs no seconds and uses no randomness.

    Args:
        source: a table, or the file or built-in name of one. Pickles of an evaluator that was made from a file or a
            name hold only that.
        metrics: what may be seen, the metric that is searched by first; by default all of the table's. Leave test
            metrics out, and no searcher can look at them.

    An architecture without a row is ``invalid``; one whose first metric was not measured is ``failed``. Other metrics
    that were not measured are left out. Repeats are averaged.

    Raises:
        InputError: a table that cannot be loaded, or a metric that it does not have or that is named twice.
    """

    inline = True

    def __init__(self, source: Table | str | Path, metrics: Sequence[str] | None = None) -> None:
        self._source, self._names = source, tuple(metrics) if metrics is not None else None
        self.table = source if isinstance(source, Table) else load_table(source)
        names = tuple(self.table.infos) if self._names is None else self._names
        if not names or len(set(names)) != len(names):
            raise InputError("metrics", ", ".join(names), "must be at least one, none twice")
        self.metrics = {name: self.table.info(name) for name in names}
        self.default_metric = names[0]
        self.space = self.table.search_space()
        self._values = {name: self.table.values(name) for name in names}

    def __reduce__(self) -> tuple[type[TableEvaluator], tuple[Table | str | Path, tuple[str, ...] | None]]:
        return type(self), (self._source, self._names)

    def evaluate(self, architecture: Architecture, seed: int) -> Measurement:  # noqa: ARG002
        """The architecture's row: every metric that may be seen and was measured."""
        row = self.table.row(architecture)
        if row is None:
            return Measurement(status="invalid", reason=f"not in table {self.table.name}")
        found = {name: float(values[row]) for name, values in self._values.items() if not math.isnan(values[row])}
        if self.default_metric not in found:
            reason = f"table {self.table.name} has no {self.default_metric} in row {row}"
            return Measurement(found, status="failed", reason=reason)
        return Measurement(found)
