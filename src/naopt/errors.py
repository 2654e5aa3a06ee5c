"""Errors that naopt raises on purpose. Anything else is a bug."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class NaoptError(Exception):
    """Base of every error that naopt raises on purpose; its text is one line."""


class InputError(NaoptError, ValueError):
    """Input that cannot be used: says what it was, its value and the rule it breaks.

    The command line prints it as one line and exits with code 2.
    """

    def __init__(self, what: str, value: object, rule: str) -> None:
        self.what, self.value, self.rule = what, value, rule
        shown = value if isinstance(value, str) else repr(value)
        super().__init__(" ".join(f"{what} '{shown}': {rule}".split()))

    def __reduce__(self) -> tuple[type[InputError], tuple[str, object, str]]:
        return type(self), (self.what, self.value, self.rule)


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that is most like this one, in whatever case; ``None`` if none is like it."""
    folded = {other.casefold(): other for other in sorted(known, reverse=True)}
    near = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.5)
    return folded[near[0]] if near else None


class UnknownNameError(InputError):
    """A name that is not among the known ones; suggests the nearest."""

    def __init__(self, what: str, value: str, known: Iterable[str]) -> None:
        self.known = sorted(known)
        near = nearest(value, self.known)
        hint = f"did you mean '{near}'? " if near else ""
        super().__init__(what, value, f"unknown; {hint}known: {', '.join(self.known)}")

    def __reduce__(self) -> tuple[type[UnknownNameError], tuple[str, str, list[str]]]:  # type: ignore[override]
        return type(self), (self.what, str(self.value), self.known)


class ArchitectureSyntaxError(InputError):
    """Architecture text that does not parse; ``position`` is the 0-based column of the first wrong character."""

    def __init__(self, text: str, position: int, rule: str) -> None:
        self.text, self.position, self.detail = text, position, rule
        super().__init__("architecture", text, f"at position {position}: {rule}")

    def __reduce__(self) -> tuple[type[ArchitectureSyntaxError], tuple[str, int, str]]:
        return type(self), (self.text, self.position, self.detail)


class RunStoppedError(NaoptError):
    """The run stopped before its budget was spent; it can be resumed (exit code 3)."""
