"""The engine that has no workers: evaluations in this process."""

from __future__ import annotations

from collections import deque

from naopt.evaluators.base import Evaluator
from naopt.execution.engine import Engine
from naopt.execution.jobs import Job
from naopt.execution.measure import measure
from naopt.measurement import Measurement


class InlineEngine(Engine):
    """Evaluates in this process, one after the other, when it is asked for results: for lookups, and for functions.

    An evaluation has no time limit, and one that ends the process ends the search.

    Args:
        evaluator: is prepared here.

    Raises:
        InputError: what ``evaluator.prepare`` finds.
    """

    workers = 1

    def __init__(self, evaluator: Evaluator) -> None:
        self.evaluator = evaluator
        self._waiting: deque[Job] = deque()
        evaluator.prepare()

    def submit(self, job: Job) -> None:
        """See ``Engine``."""
        self._waiting.append(job)

    def next_done(self, seconds: float | None = None) -> tuple[Job, Measurement]:  # noqa: ARG002
        """See ``Engine``; takes as long as the evaluation does."""
        job = self._waiting.popleft()
        return job, measure(self.evaluator, job)

    def close(self) -> None:
        """See ``Engine``."""
        self._waiting.clear()
