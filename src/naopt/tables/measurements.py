"""What tables and CSV files have measured of the architectures of a space."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from itertools import zip_longest

from naopt.errors import InputError
from naopt.measurement import Measurement
from naopt.spaces import Architecture, Position, SearchSpace
from naopt.spaces.choices import shown
from naopt.tables.cells import UNMEASURED, Numerals, explain_no_number, parse_number, read_lines
from naopt.tables.files import load_table
from naopt.tables.mistakes import Mistakes

_WORDS = {"True": "true", "False": "false", "None": "null", "": "null"}
"""How Python and pandas write values."""

Measured = tuple[Architecture, Measurement]


def measured_in_table(source: str, space: SearchSpace, metric: str) -> Iterator[Measured]:
    """All of a table's architectures that have a metric. Raises ``InputError`` if it is of another space."""
    table = load_table(source)
    if table.space.positions != space.positions:
        raise InputError("history", source, f"is of space {table.space.name}, not {space.name}")
    values = {name: table.values(name) for name in table.infos}
    for row, tokens in enumerate(table.tokens):
        metrics = {name: float(of[row]) for name, of in values.items() if math.isfinite(of[row])}
        if metric in metrics and space.explain_invalid(tuple(tokens.tolist())) is None:
            yield space.architecture(tuple(tokens.tolist())), Measurement(metrics)


def measured_in_csv(source: str, space: SearchSpace, metric: str) -> Iterator[Measured]:
    """Rows of a CSV file with a column ``architecture``, or one for each position of the space, and one for the metric.

    Cells are those of ``naopt.tables.cells``. Rows without a value of the metric are left out.

    Raises:
        InputError: the file cannot be read, or rows break a rule: all of them at once.
    """
    lines, numerals = read_lines(source, "history")
    header = lines[0][1] if lines else []
    mistakes = Mistakes("history", source)
    found: list[Measured] = []
    for line, cells in lines[1:]:
        row = dict(zip_longest(header, cells[: len(header)], fillvalue=""))
        text = row.get(metric, "")
        if len(cells) > len(header):
            mistakes.add("", f"{len(cells)} cells", f"the header has {len(header)}", line)
        elif text.lower() not in UNMEASURED:
            try:
                found.append((_architecture(row, space, numerals), Measurement({metric: _number(text, numerals)})))
            except InputError as error:
                mistakes.add(error.what, str(error.value), error.rule, line)
    mistakes.check()
    yield from found


def _number(text: str, numerals: Numerals) -> float:
    try:
        value = parse_number(numerals.plain(text))
    except ValueError as error:
        raise InputError("result", text, str(error)) from error
    if value is None:
        raise InputError("result", text, explain_no_number(text))
    return float(value)


def _architecture(row: Mapping[str, str], space: SearchSpace, numerals: Numerals) -> Architecture:
    if "architecture" in row:
        return space.parse(row["architecture"])
    names = [position.name for position in space.positions]
    missing = [name for name in names if name not in row]
    if missing:
        rule = f"no such column; needed is architecture, or one for each of {', '.join(names)}"
        raise InputError("column", ", ".join(missing), rule)
    return space.architecture([_token(position, row[position.name], numerals) for position in space.positions])


def _token(position: Position, text: str, numerals: Numerals) -> int:
    """The choice that a program meant which wrote ``text``: ``0.10`` is 0.1, and ``True`` is true."""
    for word in (text, _WORDS.get(text, text)):
        if word in position.choices:
            return position.choices.index(word)
    numbers = [_as_number(value) for value in position.values]
    if all(isinstance(value, str) for value in position.values) and None in numbers:
        numbers = []  # words, some of which look like numbers
    try:
        return numbers.index(float(numerals.plain(text)))
    except ValueError:
        raise InputError(position.name, text, f"must be one of {shown(position.choices)}") from None


def _as_number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except ValueError:
        return None
