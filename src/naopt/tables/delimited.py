"""Tables from CSV files."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from naopt.errors import InputError
from naopt.measurement import MetricInfo
from naopt.spaces import Architecture, GenericSpace, SearchSpace
from naopt.tables.columns import counting, left_out, unfinished
from naopt.tables.csv_file import NO_CHOICE, CsvFile, read_csv_file
from naopt.tables.importers import table_importers
from naopt.tables.remarks import Say, remark_column, remark_lines, remark_percentages, remark_unmeasured
from naopt.tables.table import Table

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ARCHITECTURE = "architecture"
K = TypeVar("K", bound=Hashable)


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
    file, metrics = read_csv_file(Path(source), metrics, (*skip, *position))
    known = [name for name in metrics if name in file.header]
    columns = [file.cells(name) for name in file.header]
    others = [name for name in file.header if name not in metrics and name not in skip]
    states = unfinished(dict(zip(file.header, columns, strict=True)), len(file.lines))
    numbers = {name: file.measured(name, states) for name in known}
    metrics = {n: replace(i, unit=i.unit or "%") if n in file.percentages else i for n, i in metrics.items()}
    if space is not None:
        return _of_space(file, space, [name for name in others if name], metrics, numbers, states, say)
    beside = (left_out(file.header, columns) - set(position)) & set(others)
    names = [name for name in others if name not in beside]
    beside |= counting({name: file.cells(name) for name in names}) - set(position)
    names = [name for name in names if name not in beside]
    if not names:
        rest = "no column is left" if beside or skip else "every column is a metric"
        file.mistakes.add("", "", f"{rest}; at least one must be a position")
    found = [file.position(name, exact=name in position) for name in names]
    file.mistakes.check()
    remark_lines(states, say)
    remark_percentages(file.percentages, metrics, say)
    if beside:
        listed = ", ".join(name or "the first, which has no name" for name in others if name in beside)
        say(f"columns left out, as they tell of the lines: {listed} (--position NAME takes one for a choice)")
    parsed = [column for column in found if column is not None]
    for column in parsed:
        remark_column(column, len(file.lines), say)
    rows, values = _collect(list(zip(*(column.tokens for column in parsed), strict=True)), numbers)
    remark_unmeasured(values, say)
    binned = [column.position.name for column in parsed if column.numbers]
    unread = [name for name in file.header if name and name in {*beside, *skip}]
    about = f"imported from {file.path.name}" + (f", without {', '.join(unread)}" if unread else "")
    about += f", numbers of {', '.join(binned)} in ranges" if binned else ""
    made = GenericSpace([column.position for column in parsed], file.path.stem)
    return Table(file.path.stem, made, np.array(rows), values, dict(metrics), about)


def _of_space(
    file: CsvFile,
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
                raise InputError("architecture", cell, NO_CHOICE)
            found.append(space.parse(cell))
        except InputError as error:
            file.wrong(row, column, cell, error.rule)
    file.mistakes.check()
    remark_lines(states, say)
    remark_percentages(file.percentages, metrics, say)
    if others:
        say(f"columns not read: {', '.join(others)}")
    rows, values = _collect(found, numbers)
    remark_unmeasured(values, say)
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
