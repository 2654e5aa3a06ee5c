"""Columns of a table as prior knowledge of its architectures."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from naopt.errors import InputError
from naopt.evaluators.table_costs import TableCosts
from naopt.tables import Table


def prior_columns(table: Table, names: Sequence[str], wanted: Collection[str]) -> TableCosts | None:
    """What the columns know, NaN where a row has no value; ``None`` for no column. They cost no query.

    Args:
        table: which.
        names: of columns.
        wanted: metrics that a search is about: of its objectives, and what is reported of what it finds.

    Raises:
        UnknownNameError: a column that is not there.
        InputError: a column that is given twice, or that the search is about.
    """
    for at, name in enumerate(names):
        table.info(name)
        if name in wanted:
            raise InputError("prior column", name, "is what the search is about; give what is known before it")
        if name in names[:at]:
            raise InputError("prior column", name, "is given twice")
    return TableCosts(table, names) if names else None
