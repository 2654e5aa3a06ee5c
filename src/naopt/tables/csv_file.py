"""A CSV file of measured architectures: its columns as metrics and choices, and all that is wrong with it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from naopt.errors import InputError
from naopt.measurement import MetricInfo
from naopt.spaces.choices import shown
from naopt.tables.cells import (
    UNMEASURED,
    Numerals,
    explain_no_number,
    is_error,
    parse_number,
    read_lines,
    without_percent,
)
from naopt.tables.columns import MOST_WORDS, Column, DoubtfulNumberError, parse_column
from naopt.tables.mistakes import Mistakes
from naopt.texts import QUOTES, typographic

NO_CHOICE = "a position needs a choice; write a word for none"
"""What is wrong with an empty cell of a choice."""


@dataclass(frozen=True, slots=True)
class CsvFile:
    """A CSV file: its header, lines that have as many cells, their numbers, and what is wrong with it so far.

    Attributes:
        path: of the file.
        header: names of columns.
        lines: cells.
        numbers: of the lines.
        numerals: how numbers are written.
        mistakes: found so far.
        percentages: columns whose numbers have a sign %, which is taken off, and how many do.
    """

    path: Path
    header: list[str]
    lines: list[list[str]]
    numbers: list[int]
    numerals: Numerals
    mistakes: Mistakes
    percentages: dict[str, int] = field(default_factory=dict)

    def cells(self, name: str) -> list[str]:
        """The column of that name."""
        at = self.header.index(name)
        return [cells[at] for cells in self.lines]

    def wrong(self, row: int, name: str, cell: str, rule: str, kind: str = "") -> None:
        """Notes a mistake in a cell; see ``Mistakes.add``."""
        self.mistakes.add(f"column {name}", cell, rule, self.numbers[row], kind)

    def measured(self, name: str, states: Sequence[str]) -> list[float]:
        """A metric's numbers, NaN for what was not measured; notes what is no number.

        Args:
            name: of the column.
            states: of each line the reason why it has no result; empty if it has.
        """
        found = [math.nan] * len(self.lines)
        rows = []
        for row, (cell, state) in enumerate(zip(self.cells(name), states, strict=True)):
            bare = without_percent(cell)
            if state or bare.lower() in UNMEASURED:
                continue
            rows.append((row, cell))
            try:
                value = parse_number(self.numerals.plain(bare))
                if value is None:
                    self.wrong(row, name, cell, explain_no_number(bare))
                else:
                    found[row] = float(value)
            except ValueError as error:
                self.wrong(row, name, cell, str(error), "two readings")
        self._find_percentages(name, rows)
        return found

    def position(self, name: str, *, exact: bool) -> Column | None:
        """A column as a position; ``None`` for one with mistakes, which are noted.

        Args:
            name: of the column.
            exact: every number is a choice.
        """
        cells = self.cells(name)
        usable = True
        for row, cell in enumerate(cells):
            rule = _explain_no_choice(cell)
            if rule:
                self.wrong(row, name, cell, rule)
                usable = False
        if not usable:
            return None
        if all(self._is_number(without_percent(cell)) for cell in dict.fromkeys(cells)):
            if not self._find_percentages(name, enumerate(cells)):
                return None
            cells = [without_percent(cell) for cell in cells]
        try:
            column = parse_column(name, cells, self.numerals, exact=exact)
        except DoubtfulNumberError as error:
            self.wrong(cells.index(error.cell), name, error.cell, error.rule)
            return None
        if len(column.position.choices) > MOST_WORDS and not column.position.ordered:
            rule = f"different words; more than {MOST_WORDS} are no choice: name a result with --metric, or --skip it"
            self.mistakes.add(f"column {name}", str(len(column.position.choices)), rule)
        return column

    def _is_number(self, cell: str) -> bool:
        try:
            return parse_number(self.numerals.plain(cell)) is not None
        except ValueError:
            return True

    def _find_percentages(self, name: str, rows: Iterable[tuple[int, str]]) -> bool:
        """Notes how many numbers have a sign %; ``False``, and a mistake, if others in the column have none."""
        signed: list[int] = []
        bare: list[int] = []
        for row, cell in rows:
            if self._is_number(without_percent(cell)):
                (signed if cell.endswith("%") else bare).append(self.numbers[row])
        if signed and bare:
            count = f"{len(signed)} of {len(signed) + len(bare)} numbers"
            rule = f"have a sign % (first in line {signed[0]}), {len(bare)} have none (first in line {bare[0]})"
            self.mistakes.add(f"column {name}", count, f"{rule}; write all in one way")
        elif signed:
            self.percentages[name] = len(signed)
        return not (signed and bare)


def read_csv_file(
    path: Path, metrics: Mapping[str, MetricInfo], named: Sequence[str]
) -> tuple[CsvFile, dict[str, MetricInfo]]:
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
    return CsvFile(path, header, [cells for _, cells in whole], numbers, numerals, mistakes), metrics


def _in_header(name: str, info: MetricInfo, header: Sequence[str]) -> tuple[str, MetricInfo]:
    """A metric by its column's name, where that ends or begins with a goal, which was read as the metric's."""
    if name not in header and (whole := f"{info.goal}:{name}") in header:
        return whole, MetricInfo("max", info.unit)
    longer = f"{name}:{info.goal}"
    if name in header or longer not in header:
        return name, info
    goal, _, unit = info.unit.partition(":")
    return longer, MetricInfo("min" if goal == "min" else "max", unit)


def _explain_no_choice(cell: str) -> str:
    if not cell:
        return NO_CHOICE
    if is_error(cell):
        return "is an error of a spreadsheet"
    return typographic(cell) or "" if cell[0] in QUOTES and cell[-1] in QUOTES else ""
