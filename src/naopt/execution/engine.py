"""Engines carry evaluations out: what all of them promise."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Self

from naopt.execution.jobs import Job
from naopt.measurement import Measurement


class Engine(ABC):
    """Where evaluations happen; a context manager. Knows no searcher and no directory.

    Contract. A loop submits jobs, and takes results in whatever order they end. Whatever happens to an evaluation comes
    back as a measurement with a reason. What the machine lost (a worker that was killed before or while it
    worked, a node that went away) is done again by the engine itself; what the child did is not.

    Attributes:
        workers: how many evaluations it does at a time.
    """

    workers: int

    @abstractmethod
    def submit(self, job: Job) -> None:
        """Takes a job. Those that no worker is free for wait, in the order of their submission."""

    @abstractmethod
    def next_done(self, seconds: float | None = None) -> tuple[Job, Measurement] | None:
        """Waits until a job that was submitted ends; there must be one.

        Args:
            seconds: how long at most; ``None`` for as long as it takes.

        Returns:
            The job and what it gave; ``None`` if the time was too short.
        """

    @abstractmethod
    def close(self) -> None:
        """Ends the workers, whatever they are doing; what was submitted and has not ended is forgotten."""

    def evaluate(self, jobs: Sequence[Job]) -> Iterator[tuple[int, Measurement]]:
        """Measures jobs, while no others are submitted; yields ``(index, measurement)`` in the order they end."""
        for job in jobs:
            self.submit(job)
        for _ in jobs:
            found = self.next_done()
            assert found is not None
            yield found[0].index, found[1]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
