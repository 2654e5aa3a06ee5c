"""The engine of this machine: evaluations in worker processes."""

from __future__ import annotations

import sys

from naopt.evaluators.base import Evaluator
from naopt.execution.devices import worker_environments
from naopt.execution.packing import pack, unpack
from naopt.execution.pool import ProcessPool
from naopt.execution.worker import Setup
from naopt.execution.worker_process import WorkerError

__all__ = ["LocalEngine", "WorkerError"]


class LocalEngine(ProcessPool):
    """Evaluates in worker processes on this machine; a context manager.

    There are processes even with one worker, so that no crash of a child network ends the search and the result does
    not depend on ``workers``. What evaluations write to the terminal is not seen: the last lines are kept with what
    failed.

    Args:
        evaluator: is prepared once here, which finds bad data before any worker starts, and once in each worker. One
            whose ``device`` is ``cuda`` has one CUDA device in each worker, in turn.
        workers: number of processes; at least 1.
        timeout: seconds that one evaluation may take; ``None`` for no limit.
        workers_per_device: how many workers a CUDA device may have.

    Raises:
        InputError: ``workers`` below 1 or too many for the devices, or what ``evaluator.prepare`` finds.
        UnpicklableError: the evaluator cannot be sent to a process.
    """

    def __init__(
        self, evaluator: Evaluator, workers: int = 1, timeout: float | None = None, *, workers_per_device: int = 1
    ) -> None:
        environments = worker_environments(evaluator, workers, workers_per_device)
        packed = pack(evaluator)
        unpack(packed).prepare()
        super().__init__(Setup(packed, tuple(sys.argv)), environments, timeout)
