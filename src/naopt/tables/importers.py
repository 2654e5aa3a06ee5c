"""How other formats become tables: one importer a kind."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import get_args

from naopt.errors import InputError
from naopt.measurement import Goal, MetricInfo
from naopt.registry import Registry
from naopt.spaces import SearchSpace
from naopt.tables.table import Table

TableImporter = Callable[..., Table]
"""From a source, and the metrics that the user declared, to a table: ``importer(path, metrics)``.

One that has a parameter ``space`` may be given the space of the architectures. Raises ``InputError`` for a bad source.
"""

table_importers: Registry[TableImporter] = Registry("kind of table", "naopt.table_importers")


def run_importer(
    kind: str, source: str | Path, metrics: Mapping[str, MetricInfo], space: SearchSpace | None = None
) -> Table:
    """The table that a kind's importer makes of a source.

    Raises:
        InputError: an unknown kind (with the nearest one), a space for a kind that takes none, or a bad source.
    """
    importer = table_importers.get(kind)
    if space is None:
        return importer(Path(source), metrics)
    if "space" not in inspect.signature(importer).parameters:
        raise InputError("--space", space.name, f"files of kind {kind} say themselves what space they are of")
    return importer(Path(source), metrics, space=space)


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
