"""All that is wrong with a file, said at once."""

from __future__ import annotations

from pathlib import Path

from naopt.errors import InputError

MOST_SAID = 10
"""So many different mistakes of a file are named; the others are counted."""
_LINES = 5


class Mistakes:
    """Collects what is wrong with a file, so that it can be mended in one go.

    Args:
        what: the file is, for errors.
        path: of the file.
    """

    def __init__(self, what: str, path: str | Path) -> None:
        self._what = f"{what} {path}"
        self._found: dict[tuple[str, str, str], list[int]] = {}

    def add(self, place: str, value: str, rule: str, line: int = 0) -> None:
        """Notes a mistake; the same one in another line counts to the first.

        Args:
            place: where in the line, or in the file; may be empty.
            value: what stands there.
            rule: what it breaks.
            line: number of the line; 0 for none.
        """
        self._found.setdefault((place, value, rule), []).append(line)

    def check(self) -> None:
        """Raises ``InputError`` with what was noted, up to ``MOST_SAID`` mistakes, if there is any."""
        if not self._found:
            return
        said = [
            (", ".join(part for part in (_lines(lines), place) if part), value, rule)
            for (place, value, rule), lines in self._found.items()
        ]
        if len(said) == 1:
            place, value, rule = said[0]
            raise InputError(f"{self._what}: {place}" if place else self._what, value, rule)
        texts = [f"{place} '{value}': {rule}".strip() for place, value, rule in said[:MOST_SAID]]
        texts += [f"and {len(said) - MOST_SAID} more"] if len(said) > MOST_SAID else []
        raise InputError(self._what, f"{len(said)} mistakes", "; ".join(texts))


def _lines(lines: list[int]) -> str:
    if lines == [0]:
        return ""
    if len(lines) == 1:
        return f"line {lines[0]}"
    first = ", ".join(map(str, lines[:_LINES]))
    return f"lines {first}" + (f" and {len(lines) - _LINES} more" if len(lines) > _LINES else "")
