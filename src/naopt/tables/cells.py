"""Cells of CSV files as people, programs and spreadsheets write them, whichever command reads them."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from naopt.errors import InputError
from naopt.texts import read_text, typographic

UNMEASURED = frozenset(
    (
        "",
        "-",
        "na",
        "n/a",
        "nan",
        "-nan",
        "null",
        "none",
        "<na>",
        "#n/a",
        "#na",
        "#n/a n/a",
        "#nv",
        "1.#ind",
        "1.#qnan",
        "-1.#ind",
        "-1.#qnan",
    )
)
"""What programs and spreadsheets write into the cell of a number that they do not have, in lower case."""

_DELIMITERS = (",", ";", "\t")
_SEPARATOR = re.compile(r'"?sep=(.)"?', re.IGNORECASE)
"""The first line by which spreadsheets are told what separates cells."""
_UNSEEN = "\ufeff\u200b\u2060"

_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_DECIMAL_COMMA = re.compile(r"[+-]?[0-9]*,[0-9]+(?:[eE][+-]?[0-9]+)?")
_MARKED = re.compile(r"[+-]?[1-9][0-9]{0,2}(?:['\u2019\u00a0\u2007\u2009\u202f][0-9]{3})+(?:[.,][0-9]+)?")
"""Thousands set apart by marks or spaces that mean nothing else; a plain space may part two words."""
_THOUSANDS = {
    ",": re.compile(r"[+-]?[1-9][0-9]{0,2}(?:,[0-9]{3})+(\.[0-9]+)?"),
    ".": re.compile(r"[+-]?[1-9][0-9]{0,2}(?:\.[0-9]{3})+(,[0-9]+)?"),
}
_ERROR = re.compile(r"#[\w/]+[!?/]*[!?]|#N/A|#NV|Err:[0-9]{3}")

Lines = list[tuple[int, list[str]]]
Number = int | float


@dataclass(frozen=True, slots=True)
class Numerals:
    """How a file writes its numbers, told from all of its cells.

    Attributes:
        commas: whether a number may have a decimal comma: where commas do not separate cells.
        grouped: the mark between thousands that some cell shows beyond doubt (``1,234,567``, ``1.234,5``); empty for
            none.
        decimals: the decimal marks that some cell shows beyond doubt (``0,5``, ``12.25``).
    """

    commas: bool = False
    grouped: str = ""
    decimals: frozenset[str] = frozenset()

    @classmethod
    def of(cls, cells: Iterable[str], *, commas: bool) -> Numerals:
        """From the cells of a file."""
        grouped, decimals = set(), set()
        pairs = ((",", "."), (".", ",")) if commas else ((",", "."),)
        for cell in {cell for cell in cells if "," in cell or "." in cell}:
            for mark, other in pairs:
                found = _THOUSANDS[mark].fullmatch(cell)
                if found is not None:
                    if found[1] or cell.count(mark) > 1:
                        grouped.add(mark)
                        decimals |= {other} if found[1] else set()
                    break
            else:
                decimals |= {"."} if "." in cell and _NUMBER.fullmatch(cell) else set()
                decimals |= {","} if commas and _DECIMAL_COMMA.fullmatch(cell) else set()
        doubtless = grouped - decimals
        return cls(commas, doubtless.pop() if len(doubtless) == 1 else "", frozenset(decimals))

    def plain(self, cell: str) -> str:
        """A number as programs write it, with a point and nothing between thousands; any other cell as it is.

        Raises:
            ValueError: it can be read in two ways, and no other cell of the file says how.
        """
        if "," not in cell and "." not in cell and not _MARKED.fullmatch(cell):
            return cell
        if _MARKED.fullmatch(cell):
            return re.sub(r"[^0-9.,+-]", "", cell).replace(",", ".")
        for mark, other in ((",", "."), (".", ",")):
            found = _THOUSANDS[mark].fullmatch(cell)
            if found is None:
                continue
            digits = cell.replace(mark, "").replace(other, ".")
            if found[1] or cell.count(mark) > 1 or self.grouped == mark:
                return digits
            if mark == "." and not self.commas:
                return cell
            if self.commas and (mark in self.decimals or other not in self.decimals):
                return cell.replace(",", ".")
            raise ValueError(f"may be {digits} or {cell.replace(',', '.')}; write one of these")
        return cell.replace(",", ".") if self.commas and _DECIMAL_COMMA.fullmatch(cell) else cell


def read_lines(source: str | Path, what: str) -> tuple[Lines, Numerals]:
    """Numbered lines of stripped cells, the header among them, and how numbers are written.

    Cells are separated by commas, semicolons or tabs, whichever the first line has most of, or by what a line ``sep=;``
    before it names; they may be quoted. Encodings and ends of line are those of ``naopt.texts.read_text``. Lines of
    nothing but empty cells are passed over, and so are columns of such at the end, which spreadsheets leave behind.

    Args:
        source: path.
        what: is read, for errors.

    Raises:
        InputError: the file cannot be read, or is no CSV file; says in which line.
    """
    path = Path(source)
    text = read_text(path, what)
    first = next((line for line in text.split("\n") if line.strip()), "")
    named = _SEPARATOR.fullmatch(first.strip())
    delimiter = named[1] if named else max(_DELIMITERS, key=lambda mark: _count(first, mark))
    reader = csv.reader(io.StringIO(text), delimiter=delimiter, strict=True)
    lines: Lines = []
    at = 0
    try:
        for found in reader:
            number, at = at + 1, reader.line_num
            cells = [_stripped(cell) for cell in found]
            if any(cells):
                lines.append((number, cells))
    except csv.Error as error:
        last = reader.line_num
        shown = text.split("\n")[at].strip()
        reason = "a quote is opened and not closed" if "end of data" in str(error) else str(error)
        rule = f"is not a CSV file: {reason}" + (f", up to line {last}" if last > at + 1 else "")
        raise InputError(f"{what} {path}: line {at + 1}", shown, rule) from error
    if named:
        del lines[0]
    if lines:
        width = len(lines[0][1])
        while width > 1 and not any("".join(cells[width - 1 :]) for _, cells in lines):
            width -= 1
        for _, cells in lines:
            while len(cells) > width and not cells[-1]:
                cells.pop()
    return lines, Numerals.of(
        (without_percent(cell) for _, cells in lines[1:] for cell in cells), commas=delimiter != ","
    )


def parse_number(text: str) -> Number | None:
    """The number that a plain text (``Numerals.plain``) stands for; ``None`` for a word, and what is not finite."""
    if not _NUMBER.fullmatch(text):
        return None
    if text.lstrip("+-").isdigit() and len(text) < 300:
        return int(text)
    value = float(text)
    return value if math.isfinite(value) else None


def without_percent(cell: str) -> str:
    """A cell without a sign % at its end and spaces of any kind before it."""
    return cell[:-1].rstrip() if cell.endswith("%") else cell


def explain_no_number(cell: str) -> str:
    """What a cell is that should hold a number, and what to do."""
    if is_error(cell):
        return "is an error of a spreadsheet; mend the formula, or leave the cell empty"
    number = without_percent(cell)
    if number != cell and (_NUMBER.fullmatch(number) or _DECIMAL_COMMA.fullmatch(number)):
        return "is a percentage; write the number alone"
    if _DECIMAL_COMMA.fullmatch(cell):
        return "has a decimal comma in a file whose cells are between commas; write a point"
    hint = typographic(cell)
    return f"must be a finite number, or empty; {hint}" if hint else "must be a finite number, or empty"


def is_error(cell: str) -> bool:
    """Whether a cell holds what a spreadsheet shows for a formula that has no value."""
    return cell.startswith(("#", "Err:")) and _ERROR.fullmatch(cell) is not None


def _count(line: str, delimiter: str) -> int:
    return len(next(csv.reader([line], delimiter=delimiter), []))


def _stripped(cell: str) -> str:
    cell = cell.strip()
    return cell.strip(_UNSEEN).strip() if cell and (cell[0] in _UNSEEN or cell[-1] in _UNSEEN) else cell
