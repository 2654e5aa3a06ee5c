"""Tables from CSV files."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from naopt.errors import InputError
from naopt.measurement import MetricInfo
from naopt.spaces import GenericSpace, Position
from naopt.tables.importers import table_importers
from naopt.tables.table import Table


@table_importers.register("csv")
def import_csv(source: str | Path, metrics: Mapping[str, MetricInfo]) -> Table:
    """A CSV file with a header, one measured architecture a line.

    The named metrics are columns of numbers, an empty cell being "not measured"; all other columns are positions of a
    generic space. A position's choices are the values that occur, in numeric order if all are numbers, by first
    appearance otherwise. Lines with equal choices become repeats of one row. Empty lines are passed over.

    Args:
        source: path, UTF-8.
        metrics: column name to goal and unit; at least one.

    Raises:
        InputError: the file cannot be read, a metric has no column, or a cell is wrong; says which line.
    """
    path = Path(source)
    if not metrics:
        raise InputError("metric", "none", "name at least one column with --metric NAME[:max|min[:UNIT]]")
    header, lines = _read(path)
    missing = [name for name in metrics if name not in header]
    if missing:
        raise InputError("metric", missing[0], f"is not a column of {path}; columns: {', '.join(header)}")
    names = [name for name in header if name not in metrics]
    if not names:
        raise InputError("table", str(path), "every column is a metric; at least one must be a position")
    where = {name: header.index(name) for name in header}
    measured: dict[tuple[str, ...], dict[str, list[float]]] = {}
    for number, cells in lines:
        key = tuple(_choice(path, number, name, cells[where[name]]) for name in names)
        row = measured.setdefault(key, {name: [] for name in metrics})
        for name in metrics:
            row[name].append(_number(path, number, name, cells[where[name]]))
    positions = [Position(name, _order([key[index] for key in measured])) for index, name in enumerate(names)]
    indices = [{choice: index for index, choice in enumerate(position.choices)} for position in positions]
    tokens = np.array([[index[choice] for index, choice in zip(indices, key, strict=True)] for key in measured])
    repeats = max(len(next(iter(row.values()))) for row in measured.values())
    columns = {}
    for name in metrics:
        values = np.full((len(measured), repeats), np.nan)
        for index, row in enumerate(measured.values()):
            values[index, : len(row[name])] = row[name]
        columns[name] = values[:, 0] if repeats == 1 else values
    return Table(
        path.stem, GenericSpace(positions, path.stem), tokens, columns, dict(metrics), f"imported from {path.name}"
    )


def _read(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Header and numbered lines, each with as many cells as the header."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, strict=True)
            lines = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader if cells]
    except OSError as error:
        raise InputError("table", str(path), error.strerror or "cannot be read") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise InputError("table", str(path), f"is not a CSV file: {error}") from error
    if len(lines) < 2:
        raise InputError("table", str(path), "needs a header and at least one line of values")
    header = lines[0][1]
    for index, name in enumerate(header):
        if not name or name in header[:index]:
            raise InputError(f"table {path}: column {index + 1}", name, "needs a name of its own in the header")
    for number, cells in lines[1:]:
        if len(cells) != len(header):
            raise InputError(f"table {path}: line {number}", f"{len(cells)} cells", f"the header has {len(header)}")
    return header, lines[1:]


def _choice(path: Path, number: int, name: str, cell: str) -> str:
    if not cell:
        raise InputError(f"table {path}: line {number}, column {name}", cell, "a position needs a choice")
    return cell


def _number(path: Path, number: int, name: str, cell: str) -> float:
    if not cell:
        return math.nan
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"table {path}: line {number}, column {name}", cell, "must be a finite number, or empty")
    return value


def _order(values: Sequence[str]) -> tuple[str, ...]:
    distinct = list(dict.fromkeys(values))
    try:
        numbers = {value: float(value) for value in distinct}
    except ValueError:
        return tuple(distinct)
    if not all(map(math.isfinite, numbers.values())):
        return tuple(distinct)
    return tuple(sorted(distinct, key=numbers.__getitem__))
