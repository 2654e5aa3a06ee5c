"""What other searches measured, for a search to begin with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from naopt.errors import InputError
from naopt.measurement import Measurement
from naopt.run.record import load_run
from naopt.searchers.base import Objective
from naopt.spaces import Architecture, SearchSpace
from naopt.tables.measurements import Measured, measured_in_csv, measured_in_table


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
    read = measured_in_csv if Path(source).suffix.lower() == ".csv" else measured_in_table
    return read(source, space, objective.metric)


def _of_run(source: str, space: SearchSpace, objective: Objective) -> Iterator[Measured]:
    record = load_run(source)
    if record.space.positions != space.positions:
        raise InputError("history", source, f"searched {record.space.name}, not {space.name}")
    if objective.metric == record.objective.metric and objective.goal != record.objective.goal:
        raise InputError("history", source, f"its {objective.metric} is better the other way")
    for trial in record.evaluated:
        if trial.measurement is not None:
            yield space.architecture(trial.architecture.tokens), trial.measurement
