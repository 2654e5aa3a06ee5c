"""Evaluations on a Ray cluster (extra ``naopt[ray]``)."""

from __future__ import annotations

import copy
import importlib
import math
import time
from collections import deque
from typing import Any

from naopt.errors import InputError
from naopt.evaluators.base import Evaluator
from naopt.execution.engine import Engine
from naopt.execution.jobs import Job
from naopt.execution.measure import measure
from naopt.measurement import Measurement


class RayWorker:
    """An actor that keeps a prepared evaluator."""

    def __init__(self, evaluator: Evaluator) -> None:
        evaluator.prepare()
        self._evaluator = evaluator

    def evaluate(self, job: Job) -> Measurement:
        """See ``measure``."""
        return measure(self._evaluator, job)


class RayEngine(Engine):
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
        self._evaluator, self.workers, self._timeout = evaluator, workers, timeout
        self._actors: list[Any] = []
        self._idle: list[Any] = []
        self._waiting, self._ended = deque[Job](), deque[tuple[Job, Measurement]]()
        self._running: dict[Any, tuple[Job, Any, float]] = {}

    def submit(self, job: Job) -> None:
        """See ``Engine``."""
        self._waiting.append(job)

    def next_done(self, seconds: float | None = None) -> tuple[Job, Measurement] | None:
        """See ``Engine``."""
        end = math.inf if seconds is None else time.monotonic() + seconds
        while not self._ended:
            self._advance(min(1.0, max(end - time.monotonic(), 0.0)))
            if not self._ended and time.monotonic() >= end:
                return None
        return self._ended.popleft()

    def _advance(self, seconds: float) -> None:
        if len(self._actors) < self.workers:
            new = [self._kind.remote(self._evaluator) for _ in range(self.workers - len(self._actors))]
            self._actors += new
            self._idle += new
        while self._waiting and self._idle:
            job, actor = self._waiting.popleft(), self._idle.pop()
            self._running[actor.evaluate.remote(job)] = job, actor, time.monotonic()
        ended, _ = self._ray.wait(list(self._running), timeout=seconds)
        for reference in ended:
            job, actor, started = self._running.pop(reference)
            try:
                found = self._ray.get(reference)
            except self._ray.exceptions.RayError as error:
                reason = " ".join(f"its actor failed: {error}".split())[:300]
                found = Measurement(seconds=time.monotonic() - started, status="failed", reason=reason)
                actor = self._replace(actor)
            self._idle.append(actor)
            self._ended.append((job, found))
        for reference, (job, actor, started) in list(self._running.items()):
            if self._timeout is not None and time.monotonic() - started > self._timeout:
                del self._running[reference]
                self._idle.append(self._replace(actor))
                reason = f"took longer than {self._timeout:g} s"
                self._ended.append((job, Measurement(seconds=self._timeout, status="timeout", reason=reason)))

    def _replace(self, actor: Any) -> Any:
        self._ray.kill(actor)
        self._actors.remove(actor)
        self._actors.append(self._kind.remote(self._evaluator))
        return self._actors[-1]

    def close(self) -> None:
        """See ``Engine``; the cluster goes on."""
        while self._actors:
            self._ray.kill(self._actors.pop())
        for kept in (self._waiting, self._ended, self._running, self._idle):
            kept.clear()
