"""Durations as people write them."""

from __future__ import annotations

import re

_SECONDS = {"": 1.0, "s": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(s|min|m|h|d|)")


def parse_duration(text: str) -> float:
    """Seconds of ``90``, ``45s``, ``30m``, ``2h``, ``1h30m``, ``1.5d``.

    Raises:
        InputError: anything else, or nothing at all.
    """
    from naopt.errors import InputError

    at, seconds = 0, 0.0
    while match := _PART.match(text, at):
        if match.end() == at:
            break
        seconds += float(match[1]) * _SECONDS[match[2]]
        at = match.end()
    if text[at:].strip() or seconds <= 0:
        raise InputError("duration", text, "must be a time such as 90s, 30m, 2h or 1h30m")
    return seconds
