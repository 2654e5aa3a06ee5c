"""Tracebacks as text, for measurements that failed."""

from __future__ import annotations

import traceback
from types import TracebackType

_LIMIT = 16_000
"""Characters of a traceback; its middle is left out if it is longer."""
_OURS = ("naopt.execution.", "naopt.evaluators.")


def trace(error: BaseException) -> str:
    """The traceback of an exception, from where the code of engines and evaluators is left; 16,000 characters at most.

    Causes and contexts are part of it. Source lines are there as far as Python finds them.
    """
    parts = traceback.format_exception(type(error), error, _trimmed(error.__traceback__))
    text = "".join(parts).rstrip()
    if len(text) <= _LIMIT:
        return text
    half = _LIMIT // 2 - 3
    return f"{text[:half]}\n...\n{text[-half:]}"


def _trimmed(found: TracebackType | None) -> TracebackType | None:
    """Without the frames at the beginning that every evaluation has."""
    while found is not None and found.tb_next is not None and _ours(found):
        found = found.tb_next
    return found


def _ours(found: TracebackType) -> bool:
    return str(found.tb_frame.f_globals.get("__name__", "")).startswith(_OURS)
