"""Architectures that are given to a command, one by one or in files."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path


def read_architectures(given: Sequence[str] | None) -> dict[str, str]:
    """Architectures as they are given, and those in files, one a line; each with its file and line, if it has any.

    In a file empty lines and comments (``#``) are left out, and so is what a spreadsheet writes around a cell: quotes
    and empty cells behind it.

    Raises:
        InputError: a file that cannot be read.
    """
    from naopt.files import is_there
    from naopt.texts import read_text

    found: dict[str, str] = {}
    for text in given or ():
        if not is_there(text) or not Path(text).is_file():
            found.setdefault(text, "")
            continue
        for number, line in enumerate(read_text(Path(text), "--enqueue").split("\n"), 1):
            stripped = _bare(line.strip())
            if stripped and not stripped.startswith("#"):
                found.setdefault(stripped, f"{text}: line {number}")
    return found


@contextmanager
def places_named(places: Mapping[str, str]) -> Iterator[None]:
    """Has a syntax error in one of the architectures say in which file, line and column it is."""
    from naopt.errors import ArchitectureSyntaxError, InputError
    from naopt.texts import typographic

    try:
        yield
    except ArchitectureSyntaxError as error:
        place = places.get(error.text)
        if not place:
            raise
        hint = typographic(error.text)
        rule = f"{error.detail}; {hint}" if hint else error.detail
        raise InputError(f"--enqueue {place}, column {error.position + 1}", error.text, rule) from error


def _bare(line: str) -> str:
    """A line without the quotes and empty cells that a spreadsheet writes."""
    line = line.rstrip(",; \t")
    if line.startswith('"'):
        try:
            (cells,) = csv.reader([line], strict=True)
        except csv.Error:
            return line
        return cells[0].strip() if len(cells) == 1 else line
    return line
