"""Durations for people."""

from __future__ import annotations


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
