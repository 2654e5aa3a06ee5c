"""Tables from CSV files."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from naopt.errors import InputError
from naopt.measurement import MetricInfo
from naopt.spaces import Architecture, GenericSpace, SearchSpace
from naopt.spaces.choices import shown
from naopt.tables.cells import UNMEASURED, Numerals, explain_no_number, is_error, parse_number, read_lines
from naopt.tables.columns import (
    MOST_WORDS,
    Column,
    DoubtfulNumberError,
    left_out,
    parse_column,
    unfinished,
)
from naopt.tables.importers import table_importers
from naopt.tables.mistakes import Mistakes
from naopt.tables.table import Table
from naopt.texts import QUOTES, typographic

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ARCHITECTURE = "architecture"
_MANY = 10
"""More choices than this, in most lines another one, are hardly choices."""

K = TypeVar("K", bound=Hashable)
Say = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class _File:
    """A CSV file: its header, lines that have as many cells, their numbers, and what is wrong with it so far."""

    path: Path
    header: list[str]
    lines: list[list[str]]
    numbers: list[int]
    numerals: Numerals
    mistakes: Mistakes

    def cells(self, name: str) -> list[str]:
        """The column of that name."""
        at = self.header.index(name)
        return [cells[at] for cells in self.lines]

    def wrong(self, row: int, name: str, cell: str, rule: str) -> None:
        """Notes a mistake in a cell."""
        self.mistakes.add(f"column {name}", cell, rule, self.numbers[row])


@table_importers.register("csv")
def import_csv(
    source: str | Path,
    metrics: Mapping[str, MetricInfo],
    space: SearchSpace | None = None,
    *,
    skip: Collection[str] = (),
    position: Collection[str] = (),
    say: Say = lambda _: None,
) -> Table:
    """A CSV file with a header, one measured architecture a line.

    What files and cells may look like is said in ``naopt.tables.cells``. The named metrics are columns of numbers; an
    empty cell, ``-``, ``NA``, ``#N/A``, ``nan``, ``null``, ``none`` and the like are "not measured", as is every metric
    of a line whose column ``state`` or ``status`` says that it has no result. Lines with equal choices become repeats
    of one row.

    Without a space, all other columns are positions of a generic one, but for those that say something of the lines
    (``naopt.tables.columns.left_out``). Choices are those of ``naopt.tables.columns.parse_column``. With a space, the
    column ``architecture``, or the only one that is no metric, holds architectures in their text form; what remains is
    not read. What was left out or put into ranges is named in the table's source too.

    Args:
        source: path.
        metrics: column name to goal and unit; at least one.
        space: of the architectures.
        skip: columns that are left out.
        position: columns that are positions whatever they look like, each of their numbers a choice.
        say: is told in one line each what was done to the data.

    Raises:
        InputError: the file cannot be read, a metric has no column, or lines and cells are wrong: all of them at once,
            up to ``MOST_SAID`` different mistakes.
    """
    if not metrics:
        raise InputError("metric", "none", "name at least one column with --metric NAME[:max|min[:UNIT]]")
    file, metrics = _read(Path(source), metrics, (*skip, *position))
    known = [name for name in metrics if name in file.header]
    columns = [file.cells(name) for name in file.header]
    others = [name for name in file.header if name not in metrics and name not in skip]
    states = unfinished(dict(zip(file.header, columns, strict=True)), len(file.lines))
    numbers = {name: _measured(file, name, states) for name in known}
    if space is not None:
        return _of_space(file, space, [name for name in others if name], metrics, numbers, states, say)
    beside = (left_out(file.header, columns) - set(position)) & set(others)
    names = [name for name in others if name not in beside]
    if not names:
        rest = "no column is left" if beside or skip else "every column is a metric"
        file.mistakes.add("", "", f"{rest}; at least one must be a position")
    found = [_position(file, name, exact=name in position) for name in names]
    file.mistakes.check()
    _remark_lines(states, say)
    if beside:
        listed = ", ".join(name or "the first, which has no name" for name in others if name in beside)
        say(f"columns left out, as they tell of the lines: {listed} (--position NAME takes one for a choice)")
    parsed = [column for column in found if column is not None]
    for column in parsed:
        _remark(column, len(file.lines), say)
    rows, values = _collect(list(zip(*(column.tokens for column in parsed), strict=True)), numbers)
    binned = [column.position.name for column in parsed if column.numbers]
    unread = [name for name in file.header if name and name in {*beside, *skip}]
    about = f"imported from {file.path.name}" + (f", without {', '.join(unread)}" if unread else "")
    about += f", numbers of {', '.join(binned)} in ranges" if binned else ""
    made = GenericSpace([column.position for column in parsed], file.path.stem)
    return Table(file.path.stem, made, np.array(rows), values, dict(metrics), about)


def _read(path: Path, metrics: Mapping[str, MetricInfo], named: Sequence[str]) -> tuple[_File, dict[str, MetricInfo]]:
    """The file, and metrics by the names of its columns.

    Notes what is wrong with its header, with the names of columns, and with the lengths of lines.
    """
    lines, numerals = read_lines(path, "table")
    if len(lines) < 2:
        raise InputError("table", str(path), "needs a header and at least one line of values")
    mistakes, header = Mistakes("table", path), lines[0][1]
    metrics = dict(_in_header(name, info, header) for name, info in metrics.items())
    for index, name in enumerate(header):
        if (not name and index) or name in header[:index]:
            mistakes.add(f"column {index + 1}", name, "needs a name of its own in the header")
    for name in dict.fromkeys((*metrics, *named)):
        if name not in header:
            what = "metric" if name in metrics else "column"
            start, colon, _ = name.partition(":")
            is_goal = bool(colon) and start in header
            rule = f"'{start}' is a column; its goal must be max or min" if is_goal else "is not a column"
            mistakes.add(what, name, f"{rule}; columns: {shown(header)}")
    for number, cells in lines[1:]:
        if len(cells) != len(header):
            hint = typographic(" ".join(cells))
            rule = f"the header has {len(header)}" + (f"; {hint}" if hint else "")
            mistakes.add("", f"{len(cells)} cells", rule, number)
    whole = [(number, cells) for number, cells in lines[1:] if len(cells) == len(header)]
    if not whole or len(set(header)) != len(header):
        mistakes.check()
    numbers = [number for number, _ in whole]
    return _File(path, header, [cells for _, cells in whole], numbers, numerals, mistakes), metrics


def _in_header(name: str, info: MetricInfo, header: Sequence[str]) -> tuple[str, MetricInfo]:
    """A metric by its column's name, where that ends in ``:min`` or ``:max``, which was read as the goal."""
    longer = f"{name}:{info.goal}"
    if name in header or longer not in header:
        return name, info
    goal, _, unit = info.unit.partition(":")
    return longer, MetricInfo("min" if goal == "min" else "max", unit)


def _measured(file: _File, name: str, states: Sequence[str]) -> list[float]:
    """A metric's numbers, NaN for what was not measured; notes what is no number."""
    found = []
    for row, (cell, state) in enumerate(zip(file.cells(name), states, strict=True)):
        value = None
        if not state and cell.lower() not in UNMEASURED:
            try:
                value = parse_number(file.numerals.plain(cell))
                rule = explain_no_number(cell)
            except ValueError as error:
                rule = str(error)
            if value is None:
                file.wrong(row, name, cell, rule)
        found.append(math.nan if value is None else float(value))
    return found


def _position(file: _File, name: str, *, exact: bool) -> Column | None:
    """A column as a position; ``None`` for one with mistakes, which are noted."""
    cells = file.cells(name)
    usable = True
    for row, cell in enumerate(cells):
        rule = _explain_no_choice(cell)
        if rule:
            file.wrong(row, name, cell, rule)
            usable = False
    if not usable:
        return None
    try:
        column = parse_column(name, cells, file.numerals, exact=exact)
    except DoubtfulNumberError as error:
        file.wrong(cells.index(error.cell), name, error.cell, error.rule)
        return None
    if len(column.position.choices) > MOST_WORDS and not column.position.ordered:
        rule = f"different words; more than {MOST_WORDS} are no choice: name a result with --metric, or --skip it"
        file.mistakes.add(f"column {name}", str(len(column.position.choices)), rule)
    return column


def _explain_no_choice(cell: str) -> str:
    if not cell:
        return "a position needs a choice; write a word for none"
    if is_error(cell):
        return "is an error of a spreadsheet"
    return typographic(cell) or "" if cell[0] in QUOTES and cell[-1] in QUOTES else ""


def _remark_lines(states: Sequence[str], say: Say) -> None:
    """Says how many lines have no result."""
    without = [state for state in states if state]
    if without:
        which = ", ".join(dict.fromkeys(without))
        say(f"{len(without)} of {len(states)} lines have no result ({which}): they count as not measured")


def _remark(column: Column, lines: int, say: Say) -> None:
    """Says what a user would not see in the file."""
    name, choices = column.position.name, len(column.position.choices)
    if column.spellings:
        label = min(column.spellings, key=len)
        say(f"column '{name}': {', '.join(column.spellings)} are one choice, {label}")
    what = "name a result with --metric, leave out what is neither with --skip"
    if column.numbers:
        put = f"{column.numbers} different numbers, put into {choices} ranges of about as many lines each"
        say(f"column '{name}' has {put}, named by their middle ({what}; --position {name} keeps every number)")
    elif choices > max(_MANY, lines / 2):
        say(f"column '{name}' was taken for a choice, and has {choices} different values in {lines} lines ({what})")


def _of_space(
    file: _File,
    space: SearchSpace,
    names: Sequence[str],
    metrics: Mapping[str, MetricInfo],
    numbers: Mapping[str, list[float]],
    states: Sequence[str],
    say: Say,
) -> Table:
    """The table of architectures in text form."""
    column = _ARCHITECTURE if _ARCHITECTURE in names else next(iter(names), "")
    others = [name for name in names if name != column]
    if not column or (others and column != _ARCHITECTURE):
        rule = f"which of these columns holds the architectures? call it '{_ARCHITECTURE}'"
        file.mistakes.add("", ", ".join(names), rule)
        file.mistakes.check()
    found: list[Architecture] = []
    for row, cell in enumerate(file.cells(column)):
        try:
            if not cell:
                raise InputError("architecture", cell, _explain_no_choice(cell))
            found.append(space.parse(cell))
        except InputError as error:
            file.wrong(row, column, cell, error.rule)
    file.mistakes.check()
    _remark_lines(states, say)
    if others:
        say(f"columns not read: {', '.join(others)}")
    rows, values = _collect(found, numbers)
    tokens = np.array([architecture.tokens for architecture in rows])
    about = f"imported from {file.path.name}" + (f", without {', '.join(others)}" if others else "")
    return Table(file.path.stem, space, tokens, values, dict(metrics), about)


def _collect(keys: Sequence[K], numbers: Mapping[str, list[float]]) -> tuple[list[K], dict[str, NDArray[np.float64]]]:
    """Distinct keys, in order, and per metric ``(n,)`` numbers or ``(n, repeats)``, NaN where there are fewer."""
    rows: dict[K, list[int]] = {}
    for line, key in enumerate(keys):
        rows.setdefault(key, []).append(line)
    repeats = max(map(len, rows.values()))
    columns = {}
    for name, measured in numbers.items():
        values = np.full((len(rows), repeats), np.nan)
        for index, lines in enumerate(rows.values()):
            values[index, : len(lines)] = [measured[line] for line in lines]
        columns[name] = values[:, 0] if repeats == 1 else values
    return list(rows), columns
