"""Comparisons with simulated workers."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from naopt.bench import Comparison, SearchTrial, Simulation, parse_durations, searcher_settings
from naopt.bench.trials import Timing
from naopt.measurement import MetricInfo
from naopt.tables import Table
from tests.bench.stubs import cube


def timed(table: Table | None = None) -> Table:
    """The cube, where row ``i`` takes ``1 + i % 4`` minutes."""
    table = table or cube()
    minutes = np.array([1.0 + row % 4 for row in range(len(table))])
    return dataclasses.replace(
        table,
        metrics={**table.metrics, "minutes": minutes},
        infos={**table.infos, "minutes": MetricInfo("min", "min")},
    )


def simulated(
    workers: tuple[int, ...] = (4,), durations: str = "minutes", names: tuple[str, ...] = ("line",), **changes: Any
) -> Comparison:
    how = {name: changes.pop(name) for name in ("schedules", "batch") if name in changes}
    values: dict[str, Any] = {"table": timed(), "metric": "score", "report_metric": "test", "budget": 21, "trials": 2}
    return Comparison(
        settings=searcher_settings(names),
        simulation=Simulation(parse_durations(durations), workers, **how),
        **(values | changes),
    )


def timing(trial: SearchTrial) -> Timing:
    assert trial.timing is not None
    return trial.timing
