"""All that is wrong with a file, said at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from naopt.errors import InputError

MOST_SAID = 10
"""So many different mistakes of a file are named; the others are counted."""
_LINES = 5
_VALUES = 2


@dataclass(frozen=True, slots=True)
class _Mistake:
    place: str
    rule: str
    lines: list[int] = field(default_factory=list)
    values: dict[str, None] = field(default_factory=dict)

    def said(self) -> tuple[str, str, str]:
        """Where it is, the first value, and the rule with some of the others."""
        value, *others = self.values
        listed = ", ".join(f"'{other}'" for other in others[:_VALUES])
        more = f" and {len(others) - _VALUES} more" if len(others) > _VALUES else ""
        where = ", ".join(part for part in (_lines(self.lines), self.place) if part)
        return where, value, self.rule + (f" (also {listed}{more})" if others else "")


class Mistakes:
    """Collects what is wrong with a file, so that it can be mended in one go.

    Args:
        what: the file is, for errors.
        path: of the file.
    """

    def __init__(self, what: str, path: str | Path) -> None:
        self._what = f"{what} {path}"
        self._found: dict[tuple[str, ...], _Mistake] = {}

    def add(self, place: str, value: str, rule: str, line: int = 0, kind: str = "") -> None:
        """Notes a mistake; the same one in another line counts to the first, whatever stands there.

        Args:
            place: where in the line, or in the file; may be empty.
            value: what stands there.
            rule: what it breaks.
            line: number of the line; 0 for none.
            kind: of mistakes that are the same, though each has a rule of its own; by default those of one rule are.
        """
        key = (place, kind or rule) if line else (place, value, rule)
        mistake = self._found.setdefault(key, _Mistake(place, rule))
        mistake.lines.append(line)
        mistake.values[value] = None

    def check(self) -> None:
        """Raises ``InputError`` with what was noted, up to ``MOST_SAID`` mistakes, if there is any."""
        if not self._found:
            return
        said = [mistake.said() for mistake in self._found.values()]
        if len(said) == 1:
            place, value, rule = said[0]
            raise InputError(f"{self._what}: {place}" if place else self._what, value, rule)
        texts = [f"{place} '{value}': {rule}".strip() for place, value, rule in said[:MOST_SAID]]
        texts += [f"and {len(said) - MOST_SAID} more"] if len(said) > MOST_SAID else []
        raise InputError(self._what, f"{len(said)} mistakes", "; ".join(texts))


def _lines(lines: list[int]) -> str:
    if not lines[0]:
        return ""
    if len(lines) == 1:
        return f"line {lines[0]}"
    first = ", ".join(map(str, lines[:_LINES]))
    return f"lines {first}" + (f" and {len(lines) - _LINES} more" if len(lines) > _LINES else "")
