"""How many workers a search has, and what keeps them at work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from naopt.errors import InputError, UnknownNameError
from naopt.execution.asynchronous import run_async
from naopt.execution.engine import Engine
from naopt.execution.loop import run_search
from naopt.execution.observer import Observer
from naopt.execution.trial import Trial
from naopt.searchers import Searcher

Schedule = Literal["rounds", "async"]
SCHEDULES: tuple[Schedule, ...] = get_args(Schedule)


def parse_schedule(text: str) -> Schedule:
    """``rounds`` or ``async``. Raises ``UnknownNameError``, with the nearest name, for anything else."""
    for schedule in SCHEDULES:
        if text == schedule:
            return schedule
    raise UnknownNameError("schedule", text, SCHEDULES)


@dataclass(frozen=True, slots=True)
class Crew:
    """The workers of a search. By default one, in rounds: what an ordinary comparison has.

    Attributes:
        workers: how many evaluations are at work at a time.
        schedule: ``rounds``, or ``async``: a worker that is free gets the next architecture at once.
        batch: rounds that a searcher wants smaller are enlarged to this many.

    Raises:
        InputError: a number below 1.
        UnknownNameError: another schedule.
    """

    workers: int = 1
    schedule: Schedule = "rounds"
    batch: int = 1

    def __post_init__(self) -> None:
        for name in ("workers", "batch"):
            if getattr(self, name) < 1:
                raise InputError(name, getattr(self, name), "must be at least 1")
        parse_schedule(self.schedule)

    def search(self, searcher: Searcher, engine: Engine, budget: int, observer: Observer) -> list[Trial]:
        """All trials in the order of their proposal. Raises as ``run_search``."""
        if self.schedule == "async":
            return run_async(searcher, engine, budget, observer=observer)
        return run_search(searcher, engine, budget, observer=observer, batch=self.batch)


ALONE = Crew()
