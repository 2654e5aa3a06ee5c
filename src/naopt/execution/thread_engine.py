"""The engine of threads, for functions that cannot be sent to other processes."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from queue import Empty, SimpleQueue

from naopt.errors import InputError
from naopt.evaluators.base import Evaluator
from naopt.execution.engine import Engine
from naopt.execution.jobs import Job
from naopt.execution.measure import measure
from naopt.measurement import Measurement


class ThreadEngine(Engine):
    """Evaluates in threads of this process.

    Python runs one of them at a time, except where they wait or compute in native code. A thread cannot be ended: an
    evaluation that takes too long, or is at work when the engine is closed, is left to itself, and what it gives
    is dropped.

    Args:
        evaluator: is prepared here; may be called by several threads at a time.
        workers: number of threads; at least 1.
        timeout: seconds after which an evaluation is given up; ``None`` for no limit.

    Raises:
        InputError: ``workers`` below 1, or what ``evaluator.prepare`` finds.
    """

    def __init__(self, evaluator: Evaluator, workers: int = 1, timeout: float | None = None) -> None:
        if workers < 1:
            raise InputError("workers", workers, "must be at least 1")
        self.workers = workers
        self._evaluator, self._limit = evaluator, math.inf if timeout is None else timeout
        self._waiting: deque[Job] = deque()
        self._running: dict[threading.Thread, tuple[Job, float]] = {}
        self._results: SimpleQueue[tuple[threading.Thread, Measurement]] = SimpleQueue()
        evaluator.prepare()

    def submit(self, job: Job) -> None:
        """See ``Engine``."""
        self._waiting.append(job)
        self._start()

    def next_done(self, seconds: float | None = None) -> tuple[Job, Measurement] | None:
        """See ``Engine``."""
        end = math.inf if seconds is None else time.monotonic() + seconds
        while True:
            found = self._next(end)
            self._start()
            if found is not None:
                return found
            if time.monotonic() >= end:
                return None

    def close(self) -> None:
        """See ``Engine``; threads that are at work go on until they are done."""
        self._waiting.clear()
        self._running.clear()

    def _start(self) -> None:
        while self._waiting and len(self._running) < self.workers:
            job = self._waiting.popleft()
            thread = threading.Thread(target=self._work, args=(job,), daemon=True)
            self._running[thread] = job, time.monotonic()
            thread.start()

    def _work(self, job: Job) -> None:
        self._results.put((threading.current_thread(), measure(self._evaluator, job)))

    def _next(self, end: float) -> tuple[Job, Measurement] | None:
        started = min((since for _, since in self._running.values()), default=math.inf)
        until = min(end, started + self._limit)
        try:
            seconds = None if math.isinf(until) else max(0.0, until - time.monotonic())
            thread, found = self._results.get(timeout=seconds)
        except Empty:
            return self._late()
        entry = self._running.pop(thread, None)
        return None if entry is None else (entry[0], found)

    def _late(self) -> tuple[Job, Measurement] | None:
        """An evaluation that takes too long."""
        for thread, (job, since) in self._running.items():
            if time.monotonic() >= since + self._limit:
                del self._running[thread]
                reason = f"took longer than {self._limit:g} s; its thread is left to itself"
                return job, Measurement(seconds=self._limit, status="timeout", reason=reason)
        return None
