"""Evaluations that are looked up, on a clock of their own."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush

from naopt.bench.durations import Clock
from naopt.execution.engine import Engine
from naopt.execution.jobs import Job
from naopt.measurement import Measurement


class SimulatedEngine(Engine):
    """Workers whose evaluations take as long as a clock says; time passes only while one waits for results.

    Jobs go to the worker that is free first, in the order of their submission; of those that end at the same time the
    one submitted first comes first.

    Args:
        evaluate: measures at once.
        workers: at least 1.
        clock: how long each evaluation takes, not negative.

    Attributes:
        now: the time, 0 at the beginning.
        spans: by index of the trial, when its evaluation begins and ends.
    """

    def __init__(self, evaluate: Callable[[Job], Measurement], workers: int, clock: Clock) -> None:
        self.workers, self.now = workers, 0.0
        self.spans: dict[int, tuple[float, float]] = {}
        self._evaluate, self._clock = evaluate, clock
        self._free = [0.0] * workers
        self._ends: list[tuple[float, int, Job]] = []

    def submit(self, job: Job) -> None:
        """See ``Engine``."""
        begin = max(self.now, heappop(self._free))
        end = begin + self._clock(job.architecture)
        heappush(self._free, end)
        heappush(self._ends, (end, len(self.spans), job))
        self.spans[job.index] = begin, end

    def next_done(self, seconds: float | None = None) -> tuple[Job, Measurement]:  # noqa: ARG002
        """See ``Engine``; takes no real time."""
        self.now, _, job = heappop(self._ends)
        return job, self._evaluate(job)

    def close(self) -> None:
        """See ``Engine``."""
        self._ends.clear()
