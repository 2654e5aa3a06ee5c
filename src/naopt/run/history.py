"""What other searches measured, for a search to begin with."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from naopt.errors import InputError
from naopt.measurement import Measurement
from naopt.run.record import load_run
from naopt.searchers.base import Objective
from naopt.spaces import Architecture, SearchSpace
from naopt.tables import load_table


class Prior(NamedTuple):
    """An architecture that was measured elsewhere, what that gave, and where."""

    architecture: Architecture
    measurement: Measurement
    source: str


def read_history(sources: Sequence[str], space: SearchSpace, objective: Objective) -> list[Prior]:
    """What runs, tables and CSV files say of a space's architectures; of equal ones the first.

    Args:
        sources: directories of runs, naopt-tables, CSV files with a column of architectures or one a position.
        space: of the search. Architectures of a run are read by their text.
        objective: whose metric the sources have to have.

    Raises:
        InputError: a source that cannot be read, of another space, or without the metric.
    """
    found: dict[Architecture, Prior] = {}
    for source in sources:
        rows = list(_reader(source)(source, space, objective))
        if not any(objective.metric in prior.measurement.metrics for prior in rows):
            raise InputError("history", source, f"has no {objective.metric} of an architecture of {space.name}")
        for prior in rows:
            found.setdefault(prior.architecture, prior)
    return list(found.values())


def _reader(source: str) -> Callable[[str, SearchSpace, Objective], Iterator[Prior]]:
    if Path(source).is_dir():
        return _of_run
    return _of_csv if Path(source).suffix.lower() == ".csv" else _of_table


def _of_run(source: str, space: SearchSpace, objective: Objective) -> Iterator[Prior]:
    record = load_run(source)
    if record.space.positions != space.positions:
        raise InputError("history", source, f"searched {record.space.name}, not {space.name}")
    if objective.metric == record.objective.metric and objective.goal != record.objective.goal:
        raise InputError("history", source, f"its {objective.metric} is better the other way")
    for trial in record.evaluated:
        if trial.measurement is not None:
            yield Prior(space.architecture(trial.architecture.tokens), trial.measurement, source)


def _of_table(source: str, space: SearchSpace, objective: Objective) -> Iterator[Prior]:
    table = load_table(source)
    if table.space.positions != space.positions:
        raise InputError("history", source, f"is of space {table.space.name}, not {space.name}")
    values = {name: table.values(name) for name in table.infos}
    for row, tokens in enumerate(table.tokens):
        metrics = {name: float(of[row]) for name, of in values.items() if math.isfinite(of[row])}
        if objective.metric in metrics and space.explain_invalid(tuple(tokens.tolist())) is None:
            yield Prior(space.architecture(tuple(tokens.tolist())), Measurement(metrics), source)


def _of_csv(source: str, space: SearchSpace, objective: Objective) -> Iterator[Prior]:
    """Rows with a column ``architecture``, or one for each position of the space, and one for the metric."""
    choices = {position.name: position.choices for position in space.positions}
    try:
        with Path(source).open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError("history", source, getattr(error, "strerror", None) or f"is no CSV file: {error}") from error
    for line, row in enumerate(rows, start=2):
        if not row.get(objective.metric):
            continue
        try:
            value = float(row[objective.metric])
            if "architecture" in row:
                architecture = space.parse(row["architecture"])
            else:
                architecture = space.architecture([options.index(row[name]) for name, options in choices.items()])
            yield Prior(architecture, Measurement({objective.metric: value}), source)
        except (KeyError, ValueError, TypeError) as error:
            what = f"has no column {error}" if isinstance(error, KeyError) else str(error)
            raise InputError("history", f"{source}, line {line}", what) from error
