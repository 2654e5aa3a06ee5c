"""A table in figures: what ``naopt table info`` says."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from naopt.measurement import Goal
from naopt.metrics import NoiseCeiling, noise_ceiling
from naopt.tables.surrogate import Surrogate
from naopt.tables.table import Table


@dataclass(frozen=True, slots=True)
class MetricSummary:
    """One metric: goal, unit, rows measured, spread of the rows' means, repeats and how far they agree."""

    goal: Goal
    unit: str
    measured: int
    minimum: float | None
    median: float | None
    maximum: float | None
    repeats: int
    agreement: NoiseCeiling | None


@dataclass(frozen=True, slots=True)
class TableSummary:
    """Name, space, rows, coverage (rows / token sequences of the space), every metric, and which are surrogates."""

    name: str
    space: str
    source: str
    rows: int
    positions: int
    size: int
    coverage: float
    metrics: dict[str, MetricSummary]
    surrogates: dict[str, Surrogate]


def summarise_table(table: Table) -> TableSummary:
    """A table in figures."""
    return TableSummary(
        name=table.name,
        space=table.space.name,
        source=table.source,
        rows=len(table),
        positions=len(table.space.positions),
        size=table.space.size,
        coverage=len(table) / table.space.size,
        metrics={name: _metric(table, name) for name in table.metrics},
        surrogates=dict(table.surrogates),
    )


def _metric(table: Table, name: str) -> MetricSummary:
    info, repeats = table.infos[name], table.metrics[name]
    values = table.values(name)
    values = values[np.isfinite(values)]
    low, median, high = (float(f(values)) for f in (np.min, np.median, np.max)) if len(values) else (None, None, None)
    return MetricSummary(
        goal=info.goal,
        unit=info.unit,
        measured=len(values),
        minimum=low,
        median=median,
        maximum=high,
        repeats=1 if repeats.ndim == 1 else repeats.shape[1],
        agreement=noise_ceiling(repeats),
    )
