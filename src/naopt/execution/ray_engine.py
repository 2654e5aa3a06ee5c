"""Evaluations on a Ray cluster (extra ``naopt[ray]``)."""

from __future__ import annotations

import contextlib
import importlib
import logging
import math
import os
import sys
import time
import warnings
from collections import deque
from typing import Any

from naopt.errors import InputError
from naopt.evaluators.base import Evaluator
from naopt.execution.engine import Engine
from naopt.execution.jobs import Job
from naopt.execution.losses import Losses
from naopt.execution.packing import pack, unpack
from naopt.execution.pool import ProcessPool
from naopt.execution.worker import Setup
from naopt.execution.worker_process import WorkerError
from naopt.measurement import Measurement

_PATIENCE = 30.0
"""Seconds without any actor after which it is said that the cluster has no room for one."""

_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DEDUP_LOGS_SKIP_REGEX": "A worker died or was killed while executing",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}
"""For Ray, read when it is imported: it sends nothing home, does not write to standard output what this engine logs,
and leaves devices alone where it reserved none."""

_log = logging.getLogger(__name__)


class RayWorker:
    """An actor: a pool of one process, somewhere on the cluster.

    The process in between tells what a child did (a crash, too much time, what it wrote) from what became of the node.
    """

    def __init__(self, setup: Setup, timeout: float | None) -> None:
        self._pool = ProcessPool(setup, [{}], timeout)

    def ready(self) -> int:
        """The number of its process, once it is there."""
        return os.getpid()

    def evaluate(self, job: Job) -> Measurement:
        """See ``Engine``. Raises ``WorkerError`` if its process cannot begin."""
        self._pool.submit(job)
        found = self._pool.next_done()
        assert found is not None
        return found[1]


class RayEngine(Engine):
    """Evaluates on the cluster that ``ray.init`` finds, or on a local one; a context manager.

    What happens to a child on its node is as with ``LocalEngine``. An actor or a node that goes away is the machine's
    loss: the evaluation is done again elsewhere, three times at most.

    Args:
        evaluator: is prepared once here, to find bad data, and in a process of each of ``workers`` actors. One whose
            ``device`` is CUDA reserves a GPU for each actor.
        workers: number of actors, at least 1; those that the cluster has no room for do not hinder the others.
        timeout: seconds that one evaluation may take.

    Raises:
        InputError: fewer than one worker, Ray is not installed, or what ``evaluator.prepare`` finds.
        UnpicklableError: the evaluator cannot be sent to other processes.
    """

    def __init__(self, evaluator: Evaluator, workers: int = 1, timeout: float | None = None) -> None:
        if workers < 1:
            raise InputError("workers", workers, "must be at least 1")
        ray = _import_ray()
        packed = pack(evaluator)
        unpack(packed).prepare()
        if not ray.is_initialized():
            start_ray()
        gpus = int(str(getattr(evaluator, "device", "cpu")).startswith("cuda"))
        self.workers = workers
        self._ray, self._kind = ray, ray.remote(num_cpus=1, num_gpus=gpus)(RayWorker)
        self._arguments = Setup(packed, tuple(sys.argv)), timeout
        self._starting: dict[Any, Any] = {}
        self._idle: list[Any] = []
        self._running: dict[Any, tuple[Job, Any, float]] = {}
        self._waiting, self._ended = deque[Job](), deque[tuple[Job, Measurement]]()
        self._losses, self._since = Losses(), math.inf

    def submit(self, job: Job) -> None:
        """See ``Engine``."""
        self._waiting.append(job)
        self._distribute()

    def next_done(self, seconds: float | None = None) -> tuple[Job, Measurement] | None:
        """See ``Engine``."""
        end = math.inf if seconds is None else time.monotonic() + seconds
        self._take(0.0)
        while not self._ended:
            if time.monotonic() >= end:
                return None
            self._take(min(1.0, max(end - time.monotonic(), 0.0)))
            if not self._idle and not self._running and time.monotonic() - self._since > _PATIENCE:
                self._since = math.inf
                _log.warning("the Ray cluster has no room for a worker; waiting")
        return self._ended.popleft()

    def _distribute(self) -> None:
        """Gives jobs to actors that are there, and asks the cluster for as many as the others need."""
        while self._waiting and self._idle:
            self._give(self._waiting.popleft(), self._idle.pop())
        there = len(self._starting) + len(self._idle) + len(self._running)
        for _ in range(min(len(self._waiting) - len(self._starting), self.workers - there)):
            actor = self._kind.remote(*self._arguments)
            self._starting[actor.ready.remote()] = actor
            if math.isinf(self._since):
                self._since = time.monotonic()

    def _give(self, job: Job, actor: Any) -> None:
        try:
            reference = actor.evaluate.remote(job)
        except self._ray.exceptions.RayError as error:
            self._lose(job, actor, error)
        else:
            self._running[reference] = job, actor, time.monotonic()

    def _take(self, seconds: float) -> None:
        """Takes what has ended within so many seconds."""
        references = [*self._running, *self._starting]
        ended, _ = self._ray.wait(references, num_returns=1, timeout=seconds) if references else ([], [])
        if ended:
            ended, _ = self._ray.wait(references, num_returns=len(references), timeout=0)
        for reference in ended:
            if reference in self._starting:
                self._begin(reference, self._starting.pop(reference))
            else:
                self._finish(reference, *self._running.pop(reference))
        self._distribute()

    def _begin(self, reference: Any, actor: Any) -> None:
        try:
            number = self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            _log.warning("a Ray actor was lost before it began: %s", _line(error))
        else:
            _log.debug("a Ray actor has begun, process %d", number)
            self._idle.append(actor)

    def _finish(self, reference: Any, job: Job, actor: Any, started: float) -> None:
        try:
            found = self._ray.get(reference)
        except self._ray.exceptions.RayTaskError as error:
            cause = getattr(error, "cause", error)
            raise cause if isinstance(cause, WorkerError) else WorkerError(_line(error)) from error
        except self._ray.exceptions.RayError as error:
            self._lose(job, actor, error, time.monotonic() - started)
        else:
            self._losses.forget(job)
            self._idle.append(actor)
            self._ended.append((job, found))

    def _lose(self, job: Job, actor: Any, error: Exception, seconds: float = 0.0) -> None:
        """A job whose actor has gone away is done again, unless that happens too often."""
        with contextlib.suppress(self._ray.exceptions.RayError):
            self._ray.kill(actor)
        why = f"its Ray actor was lost: {_line(error)}"
        if self._losses.again(job, why):
            self._waiting.appendleft(job)
        else:
            reason = self._losses.reason(job, why)
            self._losses.forget(job)
            self._ended.append((job, Measurement(seconds=seconds, status="failed", reason=reason, details=str(error))))

    def close(self) -> None:
        """See ``Engine``; the cluster goes on."""
        for actor in [*self._starting.values(), *self._idle, *(entry[1] for entry in self._running.values())]:
            with contextlib.suppress(self._ray.exceptions.RayError):
                self._ray.kill(actor)
        for kept in (self._starting, self._idle, self._running, self._waiting, self._ended):
            kept.clear()


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]


def _import_ray() -> Any:
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Ray's own, of its dependencies
            return importlib.import_module("ray")
    except ImportError as error:
        raise InputError("engine", "ray", "Ray is not installed; pip install 'naopt[ray]'") from error


def start_ray(**options: Any) -> Any:
    """Connects to the cluster that Ray finds, or starts one here, with options of ``ray.init``; says nothing."""
    ray = _import_ray()
    logging.getLogger("ray").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ray.init(log_to_driver=False, configure_logging=False, **options)
    return ray
