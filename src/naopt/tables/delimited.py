"""Tables from CSV files."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from naopt.errors import InputError
from naopt.measurement import MetricInfo
from naopt.spaces import Architecture, GenericSpace, Position, SearchSpace
from naopt.tables.cells import UNMEASURED, Lines, read_lines, with_point
from naopt.tables.importers import table_importers
from naopt.tables.table import Table

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ARCHITECTURE = "architecture"

K = TypeVar("K", bound=Hashable)


@table_importers.register("csv")
def import_csv(source: str | Path, metrics: Mapping[str, MetricInfo], space: SearchSpace | None = None) -> Table:
    """A CSV file with a header, one measured architecture a line.

    Cells are separated by commas, semicolons or tabs, whichever the header has most of; they may be quoted, and the
    file may begin with a byte order mark. The named metrics are columns of numbers (with a decimal comma where commas
    do not separate); an empty cell, ``-``, ``NA``, ``n/a``, ``nan``, ``null`` or ``none`` is "not measured". Lines with
    equal choices become repeats of one row. Empty lines are passed over.

    Without a space, all other columns are positions of a generic one. A position's choices are the values that occur,
    in numeric order if all are numbers, by first appearance otherwise. With a space, the column ``architecture``, or
    the only one that is no metric, holds architectures in their text form; what remains is not read, and named in the
    table's source.

    Args:
        source: path, UTF-8.
        metrics: column name to goal and unit; at least one.
        space: of the architectures.

    Raises:
        InputError: the file cannot be read, a metric has no column, or a cell is wrong; says which line.
    """
    path = Path(source)
    if not metrics:
        raise InputError("metric", "none", "name at least one column with --metric NAME[:max|min[:UNIT]]")
    header, lines, commas = _read(path)
    missing = [name for name in metrics if name not in header]
    if missing:
        raise InputError("metric", missing[0], f"is not a column of {path}; columns: {', '.join(header)}")
    names = [name for name in header if name not in metrics]
    if not names:
        raise InputError("table", str(path), "every column is a metric; at least one must be a position")
    where = {name: header.index(name) for name in metrics}
    numbers = [
        {name: _number(path, number, name, cells[at], commas) for name, at in where.items()} for number, cells in lines
    ]
    source_text = f"imported from {path.name}"
    if space is None:
        at = [header.index(name) for name in names]
        keys = [tuple(_choice(path, number, header[index], cells[index]) for index in at) for number, cells in lines]
        positions = [Position(name, _order([key[index] for key in keys], commas)) for index, name in enumerate(names)]
        rows, columns = _collect(keys, numbers)
        indices = [{choice: index for index, choice in enumerate(position.choices)} for position in positions]
        tokens = np.array([[index[choice] for index, choice in zip(indices, key, strict=True)] for key in rows])
        return Table(path.stem, GenericSpace(positions, path.stem), tokens, columns, dict(metrics), source_text)
    column = _ARCHITECTURE if _ARCHITECTURE in names else names[0]
    others = [name for name in names if name != column]
    if others and column != _ARCHITECTURE:
        rule = f"which of these columns holds the architectures? call it '{_ARCHITECTURE}'"
        raise InputError("table", f"{path}: {', '.join(names)}", rule)
    architectures = [_parsed(path, number, space, column, cells[header.index(column)]) for number, cells in lines]
    found, columns = _collect(architectures, numbers)
    tokens = np.array([architecture.tokens for architecture in found])
    source_text += f", without {', '.join(others)}" if others else ""
    return Table(path.stem, space, tokens, columns, dict(metrics), source_text)


def _parsed(path: Path, number: int, space: SearchSpace, column: str, cell: str) -> Architecture:
    try:
        return space.parse(_choice(path, number, column, cell))
    except InputError as error:
        raise InputError(f"table {path}: line {number}, column {column}", cell, error.rule) from error


def _collect(keys: Sequence[K], numbers: Sequence[dict[str, float]]) -> tuple[list[K], dict[str, NDArray[np.float64]]]:
    """Distinct keys, in order, and per metric ``(n,)`` numbers or ``(n, repeats)``, NaN where there are fewer."""
    rows: dict[K, list[dict[str, float]]] = {}
    for key, found in zip(keys, numbers, strict=True):
        rows.setdefault(key, []).append(found)
    repeats = max(map(len, rows.values()))
    columns = {}
    for name in numbers[0]:
        values = np.full((len(rows), repeats), np.nan)
        for index, row in enumerate(rows.values()):
            values[index, : len(row)] = [found[name] for found in row]
        columns[name] = values[:, 0] if repeats == 1 else values
    return list(rows), columns


def _read(path: Path) -> tuple[list[str], Lines, bool]:
    """Header, numbered lines, each with as many cells as the header, and whether numbers may have decimal commas."""
    lines, commas = read_lines(path, "table")
    if len(lines) < 2:
        raise InputError("table", str(path), "needs a header and at least one line of values")
    header = lines[0][1]
    for index, name in enumerate(header):
        if not name or name in header[:index]:
            raise InputError(f"table {path}: column {index + 1}", name, "needs a name of its own in the header")
    for number, cells in lines[1:]:
        if len(cells) != len(header):
            raise InputError(f"table {path}: line {number}", f"{len(cells)} cells", f"the header has {len(header)}")
    return header, lines[1:], commas


def _choice(path: Path, number: int, name: str, cell: str) -> str:
    if not cell:
        raise InputError(f"table {path}: line {number}, column {name}", cell, "a position needs a choice")
    return cell


def _number(path: Path, number: int, name: str, cell: str, commas: bool) -> float:
    if cell.lower() in UNMEASURED:
        return math.nan
    try:
        value = float(with_point(cell, commas))
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"table {path}: line {number}, column {name}", cell, "must be a finite number, or empty")
    return value


def _order(values: Sequence[str], commas: bool) -> tuple[str, ...]:
    distinct = list(dict.fromkeys(values))
    try:
        numbers = {value: float(with_point(value, commas)) for value in distinct}
    except ValueError:
        return tuple(distinct)
    if not all(map(math.isfinite, numbers.values())):
        return tuple(distinct)
    return tuple(sorted(distinct, key=numbers.__getitem__))
