"""What other searches measured, for a search to begin with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from naopt.errors import InputError
from naopt.measurement import Measurement
from naopt.problem import Objective
from naopt.spaces import Architecture, SearchSpace, positions_from_document
from naopt.store.store import DATABASE, RunStore
from naopt.tables.measurements import Measured, measured_in_csv, measured_in_table

_TEXT = (".csv", ".tsv", ".txt")
"""Endings of files with columns; others are naopt-tables."""


class Prior(NamedTuple):
    """An architecture that was measured elsewhere, what that gave, and where."""

    architecture: Architecture
    measurement: Measurement
    source: str


def read_history(sources: Sequence[str], space: SearchSpace, objective: Objective) -> list[Prior]:
    """What runs, tables and CSV files say of a space's architectures; of equal ones the first.

    Args:
        sources: directories of runs, naopt-tables, CSV files with a column of architectures or one for each position.
        space: of the search. Architectures of a run are read by their text.
        objective: whose metric the sources have to have.

    Raises:
        InputError: a source that cannot be read, of another space, or without the metric.
    """
    found: dict[Architecture, Prior] = {}
    for source in sources:
        rows = list(_read(source, space, objective))
        if not any(objective.metric in measurement.metrics for _, measurement in rows):
            raise InputError("history", source, f"has no {objective.metric} of an architecture of {space.name}")
        for architecture, measurement in rows:
            found.setdefault(architecture, Prior(architecture, measurement, source))
    return list(found.values())


def _read(source: str, space: SearchSpace, objective: Objective) -> Iterable[Measured]:
    if Path(source).is_dir():
        return _of_run(source, space, objective)
    read = measured_in_csv if Path(source).suffix.lower() in _TEXT else measured_in_table
    return read(source, space, objective.metric)


def _of_run(source: str, space: SearchSpace, objective: Objective) -> Iterator[Measured]:
    with RunStore(Path(source) / DATABASE, writable=False) as store:
        own = store.meta["space"], positions_from_document(store.meta["positions"])
        if own[1] != space.positions:
            raise InputError("history", source, f"searched {own[0]}, not {space.name}")
        optimised = Objective(store.meta["objective"]["metric"], store.meta["objective"]["goal"])
        if optimised.metric == objective.metric and optimised != objective:
            raise InputError("history", source, f"its {objective.metric} is better the other way")
        finalists = store.finalists()
        for trial in store.trials(space):
            if trial.measurement is not None:
                more = finalists[trial.index].metrics if trial.index in finalists else {}
                metrics = {**trial.measurement.metrics, **more}
                yield trial.architecture, replace(trial.measurement, metrics=metrics)
