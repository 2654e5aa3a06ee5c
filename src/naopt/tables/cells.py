"""Cells of CSV files as people and programs write them, whichever command reads them."""

from __future__ import annotations

import csv
import re
from pathlib import Path

from naopt.errors import InputError

UNMEASURED = frozenset({"", "-", "na", "n/a", "nan", "null", "none"})
"""What programs write into the cell of a number that they do not have, in lower case."""

_DELIMITERS = (",", ";", "\t")
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+(?:[eE][+-]?\d+)?")

Lines = list[tuple[int, list[str]]]


def read_lines(source: str | Path, what: str) -> tuple[Lines, bool]:
    """Numbered lines of stripped cells, the header among them, and whether numbers may have decimal commas.

    Cells are separated by commas, semicolons or tabs, whichever the first line has most of; they may be quoted, and the
    file may begin with a byte order mark. Empty lines are passed over. Decimal commas are possible where commas do not
    separate.

    Args:
        source: path, UTF-8.
        what: is read, for errors.

    Raises:
        InputError: the file cannot be read, or is no CSV file.
    """
    path = Path(source)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            first = next((line for line in file if line.strip()), "")
            delimiter = max(_DELIMITERS, key=lambda mark: len(next(csv.reader([first], delimiter=mark), [])))
            file.seek(0)
            reader = csv.reader(file, delimiter=delimiter, strict=True)
            lines = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader if any(cells)]
    except OSError as error:
        raise InputError(what, str(source), error.strerror or "cannot be read") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise InputError(what, str(source), f"is not a CSV file: {error}") from error
    return lines, delimiter != ","


def with_point(cell: str, commas: bool) -> str:
    """A number with its decimal comma, if it may have one, made a point; any other cell as it is."""
    return cell.replace(",", ".") if commas and _DECIMAL_COMMA.fullmatch(cell) else cell
