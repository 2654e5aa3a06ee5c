"""Durations for people."""

from __future__ import annotations

import math
import re

from naopt.errors import InputError


def in_words(seconds: float) -> str:
    """Seconds in the one or two units that say enough: ``0.4 s``, ``12 s``, ``14 min``, ``1 h 50 min``, ``3 d 4 h``."""
    if seconds < 1:
        return f"{seconds:.1g} s"
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 100:
        return f"{minutes} min"
    hours = round(seconds / 3600)
    if hours < 48:
        return _two(minutes, 60, "h", "min")
    return _two(hours, 24, "d", "h")


def _two(count: int, per: int, large: str, small: str) -> str:
    whole, rest = divmod(count, per)
    return f"{whole} {large} {rest} {small}" if rest else f"{whole} {large}"


_SECONDS = {"": 1.0, "s": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(s|min|m|h|d|)")


def parse_duration(text: str) -> float:
    """Seconds of ``90``, ``45s``, ``30m``, ``2h``, ``1h30m``, ``1.5d``.

    Raises:
        InputError: anything else, or nothing at all.
    """
    at, seconds = 0, 0.0
    while match := _PART.match(text, at):
        if match.end() == at:
            break
        seconds += float(match[1]) * _SECONDS[match[2]]
        at = match.end()
    if text[at:].strip() or seconds <= 0:
        raise InputError("duration", text, "must be a time such as 90s, 30m, 2h or 1h30m")
    return seconds


def seconds_of(duration: float | str | None) -> float | None:
    """A duration as seconds, or as text for ``parse_duration``; ``None`` stays, and no limit at all is 0.

    Raises:
        InputError: as ``parse_duration`` does.
    """
    if isinstance(duration, str):
        return parse_duration(duration)
    return 0.0 if duration == math.inf else duration
