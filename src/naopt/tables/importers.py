"""How other formats become tables: one importer a kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import get_args

from naopt.errors import InputError
from naopt.measurement import Goal, MetricInfo
from naopt.registry import Registry
from naopt.tables.table import Table

TableImporter = Callable[[Path, Mapping[str, MetricInfo]], Table]
"""From a source, and the metrics that the user declared, to a table. Raises ``InputError`` for a bad source."""

table_importers: Registry[TableImporter] = Registry("kind of table", "naopt.table_importers")


def refuse_metrics(kind: str, metrics: Mapping[str, MetricInfo]) -> None:
    """Raises ``InputError`` if metrics were declared for a kind of file that says itself what it holds."""
    if metrics:
        raise InputError("--metric", next(iter(metrics)), f"files of kind {kind} name their metrics themselves")


def parse_metric(text: str) -> tuple[str, MetricInfo]:
    """A metric as the command line declares it: ``NAME``, ``NAME:min`` or ``NAME:max:UNIT``.

    Raises:
        InputError: no name, or a goal other than ``max`` and ``min``.
    """
    name, _, rest = text.partition(":")
    goal, _, unit = rest.partition(":")
    if not name:
        raise InputError("metric", text, "must read NAME[:max|min[:UNIT]]")
    for known in get_args(Goal):
        if (goal or "max") == known:
            return name, MetricInfo(known, unit)
    raise InputError("metric", text, f"goal '{goal}' must be max or min")
