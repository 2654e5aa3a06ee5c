"""The engine of this machine: evaluations in this process, or in worker processes."""

from __future__ import annotations

import copy
import math
import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
import time
from collections import deque
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool

from pebble import ProcessExpired, ProcessPool

from naopt.errors import InputError, NaoptError
from naopt.evaluators.base import Evaluator
from naopt.execution.engine import Engine
from naopt.execution.jobs import Job
from naopt.execution.measure import measure
from naopt.measurement import Measurement
from naopt.processes import interrupts_blocked

_RESTARTS = 3
"""How often in a row the workers may die before one of them has begun an evaluation."""


class WorkerError(NaoptError):
    """Worker processes cannot be started."""


class LocalEngine(Engine):
    """Evaluates on this machine; a context manager.

    Inline evaluators (lookups) run in this process. All others run in worker processes, even with one worker, so that
    no crash of a child network ends the search and the result does not depend on ``workers``.

    Args:
        evaluator: is prepared once here, which finds bad data before any worker starts, and once in each worker.
        workers: number of processes; at least 1.
        timeout: seconds that one evaluation may take; ``None`` for no limit. Not for inline evaluators.

    Raises:
        InputError: ``workers`` below 1, or what ``evaluator.prepare`` finds.
    """

    def __init__(self, evaluator: Evaluator, workers: int = 1, timeout: float | None = None) -> None:
        if workers < 1:
            raise InputError("workers", workers, "must be at least 1")
        self.evaluator, self.workers, self.timeout = evaluator, workers, timeout
        self._pool: ProcessPool | None = None
        self._waiting, self._ended = deque[Job](), deque[tuple[Job, Measurement]]()
        self._running, self._restarts = dict[Future[Measurement], Job](), 0
        if evaluator.inline:
            evaluator.prepare()
        else:
            copy.deepcopy(evaluator).prepare()

    def submit(self, job: Job) -> None:
        """See ``Engine``."""
        self._waiting.append(job)

    def next_done(self, seconds: float | None = None) -> tuple[Job, Measurement] | None:
        """See ``Engine``."""
        if self.evaluator.inline:
            job = self._waiting.popleft()
            return job, measure(self.evaluator, job)
        end = math.inf if seconds is None else time.monotonic() + seconds
        while not self._ended:
            self._advance(min(1.0, max(end - time.monotonic(), 0.0)))
            if not self._ended and time.monotonic() >= end:
                return None
        return self._ended.popleft()

    def _advance(self, seconds: float) -> None:
        """Schedules what waits, and takes what has ended within so many seconds."""
        pool = self._running_pool()
        # Few at a time: a pool that breaks forgets what it has not yet passed on.
        while self._waiting and len(self._running) <= self.workers:
            job = self._waiting.popleft()
            self._running[pool.schedule(_evaluate, args=(job,), timeout=self.timeout)] = job
        ended, _ = wait(self._running, timeout=seconds, return_when=FIRST_COMPLETED)
        lost = not pool.active
        for future in ended:
            found = self._result(future)
            if found is not None:
                self._restarts = 0
                self._ended.append((self._running.pop(future), found))
        if lost:
            self._restarts += 1
            if self._restarts == _RESTARTS:
                raise WorkerError("worker processes die before they begin to work (out of memory?)")
            self._waiting.extendleft(sorted(self._running.values(), key=lambda job: -job.index))
            self._running.clear()

    def _result(self, future: Future[Measurement]) -> Measurement | None:
        """What a future that ended says; ``None`` if the pool broke before the evaluation began."""
        try:
            return future.result()
        except BrokenProcessPool:
            return None
        except TimeoutError:
            seconds = self.timeout or 0.0
            return Measurement(seconds=seconds, status="timeout", reason=f"took longer than {seconds:g} s")
        except ProcessExpired as error:
            return Measurement(status="failed", reason=f"its process died with {_exit(error.exitcode)}")

    def _running_pool(self) -> ProcessPool:
        if self._pool is None or not self._pool.active:
            self._end_pool()
            self._pool = ProcessPool(
                self.workers,
                initializer=_begin_worker,
                initargs=(self.evaluator,),
                context=multiprocessing.get_context("spawn"),
            )
            with interrupts_blocked():
                started = self._pool.active  # asking starts it
            if not started:
                raise WorkerError("worker processes cannot be started")
        return self._pool

    def close(self) -> None:
        """See ``Engine``."""
        self._end_pool()
        self._waiting.clear()
        self._ended.clear()
        self._running.clear()

    def _end_pool(self) -> None:
        if self._pool is not None:
            self._pool.stop()  # type: ignore[no-untyped-call]
            self._pool.join()
            self._pool = None


def _exit(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"exit code {code} ({signal.Signals(-code).name})"
    except ValueError:
        return f"exit code {code}"


_of_this_worker: list[Evaluator] = []


def _begin_worker(evaluator: Evaluator) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    # Read when torch or BLAS is first imported: more threads than cores slow all workers down.
    os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")
    evaluator.prepare()
    _of_this_worker[:] = [evaluator]


def _evaluate(job: Job) -> Measurement:
    return measure(_of_this_worker[0], job)


def _end_with_parent() -> None:
    """A parent killed with SIGKILL cannot end its workers; its end of a pipe closes, and they end themselves."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)
