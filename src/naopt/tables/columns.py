"""What the columns of a CSV file are: choices, numbers in order, or what programs write beside."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from naopt.spaces import Position
from naopt.tables.cells import Number, Numerals, parse_number

MOST_NUMBERS = 64
"""A column with more different numbers is continuous, and is put into so many ranges."""
MOST_WORDS = 1024
"""A column with more different words is refused: these are no choices."""

_COUNTERS = frozenset(
    (
        "#",
        "id",
        "index",
        "key",
        "name",
        "nr",
        "no",
        "number",
        "run",
        "trial",
        "unnamed:0",
        "uuid",
        "experimentid",
        "runid",
        "runname",
        "trialid",
        "trialnumber",
        "",
    )
)
"""Columns that number or name the lines, if every line has another value."""
_COUNTED = 5
"""So many lines that a column numbers in order are no chance."""
_SEEDS = frozenset(("seed", "randomseed"))
_STATES = frozenset(
    (
        "complete",
        "completed",
        "crashed",
        "done",
        "error",
        "fail",
        "failed",
        "finished",
        "invalid",
        "killed",
        "ok",
        "preempted",
        "preempting",
        "pruned",
        "running",
        "scheduled",
        "success",
        "terminated",
        "timeout",
        "waiting",
    )
)
_ENDED = frozenset(("complete", "completed", "done", "finished", "ok", "success", "terminated"))
_PARTED = re.compile(r"[\s_.-]+")
_TIME = re.compile(
    r"[0-9]{4}([-/.])[0-9]{2}\1[0-9]{2}(?:[T ][0-9:.,]+ ?(?:Z|UTC|[+-][0-9:]+)?)?"
    r"|(?:[0-9]{1,2}[./][0-9]{1,2}[./][0-9]{4}|[0-9]{2}\.[0-9]{2}\.[0-9]{2}|[0-9]{1,2}/[0-9]{1,2}/[0-9]{2})"
    r"(?:,? [0-9:.]+(?: ?[AP]M)?)?"
    r"|(?:-?[0-9]+ days?,? \+?)?[0-9]{1,2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?"
    r"|(?:[01][0-9]|2[0-3]):[0-5][0-9]|[0-9]{1,2}:[0-5][0-9](?::[0-5][0-9])? ?[AP]M",
    re.IGNORECASE,
)
"""Dates, times of day and lengths of time; ratios (``80:20``) and versions (``1.2.3``) are none."""


@dataclass(frozen=True, slots=True)
class _Export:
    """Tables of a known kind: by which columns they are known, and which of the others are choices."""

    known: frozenset[str]
    choices: str = ""
    beside: frozenset[str] = frozenset()


_EXPORTS = (
    _Export(frozenset(("number", "state")), "params_"),  # Optuna
    _Export(frozenset(("trialid",)), "config/"),  # Ray Tune
    _Export(
        frozenset(("name", "state", "created")),  # Weights & Biases
        beside=frozenset(
            (
                "commit",
                "created",
                "description",
                "endtime",
                "gpucount",
                "gputype",
                "group",
                "host",
                "hostname",
                "id",
                "jobtype",
                "name",
                "notes",
                "runtime",
                "state",
                "sweep",
                "tags",
                "updated",
                "user",
            )
        ),
    ),
    _Export(
        frozenset(("index", "round", "origin")),  # Result.to_dataframe
        beside=frozenset(("architecture", "index", "origin", "reason", "round", "seconds", "status")),
    ),
)


def left_out(header: Sequence[str], columns: Sequence[Sequence[str]]) -> set[str]:
    """Names of columns that say something of the lines, and are no choices.

    Those are: what an export of Optuna, Ray Tune, Weights & Biases or naopt has beside its choices; numbers and names
    of lines; seeds; states; dates and lengths of time; names that begin with ``_``.

    Args:
        header: all names.
        columns: the cells below each.
    """
    names = [_key(name) for name in header]
    found = {name for name, cells in zip(header, columns, strict=True) if _is_beside(name, cells)}
    for export in _EXPORTS:
        chosen = [name for name in header if export.choices and name.lower().startswith(export.choices)]
        if export.known <= set(names) and (chosen or export.beside):
            found |= set(header) - set(chosen) if chosen else set()
            found |= {name for name in header if _key(name) in export.beside}
    return found


def counting(columns: Mapping[str, Sequence[str]]) -> set[str]:
    """Names of columns that count the lines: 1, 2, 3 ... or 0, 1, 2 ..., in order, whatever their name.

    Fewer than ``_COUNTED`` lines may be so by chance, and if no other column differs between lines, this is the choice.

    Args:
        columns: that may be choices: the cells below each name.
    """
    found = {name for name, cells in columns.items() if len(cells) >= _COUNTED and _counts(cells)}
    differs = any(len(set(cells)) > 1 for name, cells in columns.items() if name not in found)
    return found if differs else set()


def _counts(cells: Sequence[str]) -> bool:
    first = parse_number(cells[0])
    return first in (0, 1) and all(parse_number(cell) == first + row for row, cell in enumerate(cells))


def unfinished(columns: Mapping[str, Sequence[str]], lines: int) -> list[str]:
    """Of each line its state if that says that there is no result (``PRUNED``, ``failed``), else an empty text."""
    for name, cells in columns.items():
        if _is_state(name, cells):
            return ["" if cell.lower() in _ENDED else cell for cell in cells]
    return [""] * lines


def _key(name: str) -> str:
    """A name as it is compared: ``Run-ID``, ``run.id`` and ``RunID`` are ``runid``; what begins with ``_`` stays."""
    return name.lower() if name.startswith("_") else _PARTED.sub("", name.lower())


def _is_beside(name: str, cells: Sequence[str]) -> bool:
    key = _key(name)
    if key in _COUNTERS:
        return len(set(cells)) == len(cells)
    given = [cell for cell in cells if cell]
    return (
        key in _SEEDS
        or name.startswith("_")
        or _is_state(name, cells)
        or (bool(given) and all(map(_TIME.fullmatch, given)))
    )


def _is_state(name: str, cells: Sequence[str]) -> bool:
    return _key(name) in ("state", "status") and {cell.lower() for cell in cells} <= _STATES | {""}


class DoubtfulNumberError(Exception):
    """A cell whose number can be read in two ways, and what to do about it."""

    def __init__(self, cell: str, rule: str) -> None:
        super().__init__(cell, rule)
        self.cell, self.rule = cell, rule


@dataclass(frozen=True, slots=True)
class Column:
    """A column as a position.

    Attributes:
        position: its name and choices.
        tokens: the choice of each line.
        numbers: how many different numbers there are, if they were put into ranges; else 0.
        spellings: ways in which a choice is written, of the first that is written in several.
    """

    position: Position
    tokens: list[int]
    numbers: int = 0
    spellings: tuple[str, ...] = ()
    rewritten: Mapping[str, str] = field(default_factory=dict)
    """Numbers with a decimal comma or marks between thousands, and what they were read as."""


def parse_column(name: str, cells: Sequence[str], numerals: Numerals, *, exact: bool = False) -> Column:
    """Choices of a column.

    If all cells are numbers, choices are in numeric order, and ordered: each is the shortest way in which the file
    writes it, with a decimal point. More than ``MOST_NUMBERS`` are put into so many ranges that hold equally many lines
    as far as equal numbers permit; a range has the name of the number in its middle. Otherwise choices are words, by
    first appearance; numbers among them, and truth values where there is nothing else, are equal if their values are.

    Args:
        name: of the position.
        cells: none of them empty.
        numerals: how numbers are written.
        exact: no ranges.

    Raises:
        DoubtfulNumberError: a number that can be read in two ways.
    """
    plain, doubtful = {}, {}
    for cell in dict.fromkeys(cells):
        plain[cell] = cell
        if numerals.commas or "," not in cell:  # where commas separate, one in quotes is part of a word
            try:
                plain[cell] = numerals.plain(cell)
            except ValueError as error:
                doubtful[cell] = str(error)
    numbers = {cell: parse_number(text) for cell, text in plain.items()}
    words = any(number is None for cell, number in numbers.items() if cell not in doubtful)
    if doubtful and not words:
        raise DoubtfulNumberError(*next(iter(doubtful.items())))
    if words:  # in which marks are no numerals
        plain = {cell: cell for cell in plain}
        numbers = {cell: parse_number(cell) for cell in plain}
    truth = {cell.lower() for cell in plain} <= {"true", "false"}
    keys = {
        cell: cell.lower() if truth else text if numbers[cell] is None else numbers[cell]
        for cell, text in plain.items()
    }
    spelled: dict[Number | str | None, list[str]] = {}
    for cell, key in keys.items():
        texts = spelled.setdefault(key, [])
        if plain[cell] not in texts:
            texts.append(plain[cell])
    labels = {key: min(texts, key=len) for key, texts in spelled.items()}
    several = next((tuple(texts) for texts in spelled.values() if len(texts) > 1), ())
    if words:
        position = Position(name, tuple(labels.values()))
        at = {key: token for token, key in enumerate(labels)}
        return Column(position, [at[keys[cell]] for cell in cells], spellings=several)
    given = [number for cell in cells if (number := numbers[cell]) is not None]
    middle_of = _ranges(given, exact=exact)
    middles = sorted(set(middle_of.values()))
    position = Position(name, tuple(labels[middle] for middle in middles), ordered=len(middles) > 1)
    place = {middle: token for token, middle in enumerate(middles)}
    tokens = [place[middle_of[number]] for number in given]
    rewritten = {cell: text for cell, text in plain.items() if text != cell}
    return Column(position, tokens, len(labels) if len(middles) < len(labels) else 0, several, rewritten)


def _ranges(numbers: Sequence[Number], *, exact: bool) -> dict[Number, Number]:
    """For each number the one that stands for it: itself, or the middle one (the lower of two) of its range's lines."""
    lines = sorted(numbers)
    count = Counter(lines)
    if exact or len(count) <= MOST_NUMBERS:
        return {number: number for number in count}
    found: dict[int, list[Number]] = {}
    before = 0
    for number, often in count.items():
        found.setdefault(MOST_NUMBERS * (2 * before + often) // (2 * len(lines)), []).extend([number] * often)
        before += often
    return {number: part[(len(part) - 1) // 2] for part in found.values() for number in part}
