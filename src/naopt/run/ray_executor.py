"""Evaluations on a Ray cluster (extra ``naopt[ray]``)."""

from __future__ import annotations

import copy
import importlib
import time
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any, Self

from naopt.errors import InputError
from naopt.evaluators.base import Evaluator
from naopt.measurement import Measurement
from naopt.run.executors import measure
from naopt.run.loop import Job


class RayWorker:
    """An actor that keeps a prepared evaluator."""

    def __init__(self, evaluator: Evaluator) -> None:
        evaluator.prepare()
        self._evaluator = evaluator

    def evaluate(self, job: Job) -> Measurement:
        """See ``measure``."""
        return measure(self._evaluator, job)


class RayExecutor:
    """Evaluates on the cluster that ``ray.init`` finds, or on a local one; a context manager.

    Args:
        evaluator: is prepared once here, to find bad data, and in each of ``workers`` actors. One whose ``device`` is
            CUDA reserves a GPU for each actor.
        workers: number of actors.
        timeout: seconds that one evaluation may take, the start of its actor included.

    Raises:
        InputError: Ray is not installed, or what ``evaluator.prepare`` finds.
    """

    def __init__(self, evaluator: Evaluator, workers: int = 1, timeout: float | None = None) -> None:
        try:
            self._ray: Any = importlib.import_module("ray")
        except ImportError as error:
            raise InputError("engine", "ray", "Ray is not installed; pip install 'naopt[ray]'") from error
        copy.deepcopy(evaluator).prepare()
        if not self._ray.is_initialized():
            self._ray.init(log_to_driver=False)
        gpus = int(str(getattr(evaluator, "device", "cpu")).startswith("cuda"))
        self._kind = self._ray.remote(num_cpus=1, num_gpus=gpus)(RayWorker)
        self._evaluator, self._workers, self._timeout = evaluator, workers, timeout
        self._actors: list[Any] = []

    def evaluate(self, jobs: Sequence[Job]) -> Iterator[tuple[int, Measurement]]:
        """Measures every job; yields ``(index, measurement)`` as they end."""
        waiting, running = deque(jobs), dict[Any, tuple[Job, Any, float]]()
        self._actors += [self._kind.remote(self._evaluator) for _ in range(self._workers - len(self._actors))]
        idle = list(self._actors)
        while waiting or running:
            while waiting and idle:
                job, actor = waiting.popleft(), idle.pop()
                running[actor.evaluate.remote(job)] = job, actor, time.monotonic()
            ended, _ = self._ray.wait(list(running), timeout=1.0)
            for reference in ended:
                job, actor, started = running.pop(reference)
                try:
                    found = self._ray.get(reference)
                except self._ray.exceptions.RayError as error:
                    reason = " ".join(f"its actor failed: {error}".split())[:300]
                    found = Measurement(seconds=time.monotonic() - started, status="failed", reason=reason)
                    actor = self._replace(actor)
                idle.append(actor)
                yield job.index, found
            for reference, (job, actor, started) in list(running.items()):
                if self._timeout is not None and time.monotonic() - started > self._timeout:
                    del running[reference]
                    idle.append(self._replace(actor))
                    reason = f"took longer than {self._timeout:g} s"
                    yield job.index, Measurement(seconds=self._timeout, status="timeout", reason=reason)

    def _replace(self, actor: Any) -> Any:
        self._ray.kill(actor)
        self._actors.remove(actor)
        self._actors.append(self._kind.remote(self._evaluator))
        return self._actors[-1]

    def close(self) -> None:
        """Ends the actors; the cluster goes on."""
        while self._actors:
            self._ray.kill(self._actors.pop())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
