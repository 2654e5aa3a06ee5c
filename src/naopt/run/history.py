"""What other searches measured, for a search to begin with."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from naopt.errors import InputError
from naopt.measurement import Measurement
from naopt.run.record import load_run
from naopt.searchers.base import Objective
from naopt.spaces import Architecture, Position, SearchSpace
from naopt.spaces.choices import shown
from naopt.tables import load_table

_WORDS = {"True": "true", "False": "false", "None": "null", "": "null"}
"""How Python and pandas write values."""


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
    try:
        with Path(source).open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            rows = [(reader.line_num, row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError("history", source, getattr(error, "strerror", None) or f"is no CSV file: {error}") from error
    for line, row in rows:
        if text := (row.get(objective.metric) or "").strip():
            try:
                yield Prior(_architecture(row, space), Measurement({objective.metric: float(text)}), source)
            except ValueError as error:
                raise InputError("history", f"{source}, line {line}", str(error)) from error


def _architecture(row: Mapping[str, str | None], space: SearchSpace) -> Architecture:
    if "architecture" in row:
        return space.parse(row["architecture"] or "")
    names = [position.name for position in space.positions]
    missing = next((name for name in names if name not in row), None)
    if missing is not None:
        raise ValueError(f"needs a column architecture, or one for each of {', '.join(names)}; has no '{missing}'")
    return space.architecture([_token(position, (row[position.name] or "").strip()) for position in space.positions])


def _token(position: Position, text: str) -> int:
    """The choice that a program meant which wrote ``text``: ``0.10`` is 0.1, and ``True`` is true."""
    for word in (text, _WORDS.get(text, text)):
        if word in position.choices:
            return position.choices.index(word)
    try:
        return next(i for i, v in enumerate(position.values) if type(v) in (int, float) and v == float(text))
    except (StopIteration, ValueError):
        raise InputError(position.name, text, f"must be one of {shown(position.choices)}") from None
