"""The shortest time of things that take turns, so that other work on the machine hits all alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterable
from typing import TypeVar

Key = TypeVar("Key", bound=Hashable)
Clock = Callable[[], float]


def shortest(
    turns: Callable[[], Iterable[tuple[Key, Callable[[], object]]]],
    seconds: float,
    *,
    least: int,
    clock: Clock = time.perf_counter,
) -> dict[Key, float]:
    """The shortest time in seconds of each call.

    Args:
        turns: gives the calls of a round by name.
        seconds: rounds begin for so long.
        least: rounds at least.
        clock: what is counted.
    """
    best: dict[Key, float] = {}
    end, rounds = time.perf_counter() + seconds, 0
    while rounds < least or time.perf_counter() < end:
        for key, call in turns():
            start = clock()
            call()
            best[key] = min(best.get(key, float("inf")), clock() - start)
        rounds += 1
    return best
