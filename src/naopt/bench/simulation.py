"""Searches whose evaluations take simulated time: with how many workers, how kept at work, and how long they take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from naopt.bench.crews import SCHEDULES, Crew, Schedule
from naopt.bench.durations import Durations
from naopt.errors import InputError


@dataclass(frozen=True)
class Simulation:
    """What is simulated: every schedule with every number of workers.

    Attributes:
        durations: of evaluations. What a searcher computes takes no simulated time.
        workers: numbers of them.
        schedules: ``rounds``, ``async`` or both.
        batch: to which rounds are enlarged; ``workers`` for as many as there are.

    Raises:
        InputError: numbers below 1, or nothing, or something twice.
        UnknownNameError: another schedule.
    """

    durations: Durations
    workers: Sequence[int]
    schedules: Sequence[Schedule] = SCHEDULES
    batch: int | Literal["workers"] = 1

    def __post_init__(self) -> None:
        for name, listed in (("workers", self.workers), ("schedules", self.schedules)):
            if not listed or len(set(listed)) != len(listed):
                raise InputError(name, ",".join(map(str, listed)), "name at least one, none twice")
        _ = self.crews  # numbers out of range

    def crew(self, workers: int, schedule: Schedule) -> Crew:
        """So many workers with this schedule."""
        if schedule == "async":
            return Crew(workers, schedule)
        return Crew(workers, schedule, workers if self.batch == "workers" else self.batch)

    @property
    def crews(self) -> list[Crew]:
        """All that are simulated."""
        return [self.crew(workers, schedule) for workers in self.workers for schedule in self.schedules]
