"""Worker processes that are given jobs: what engines with processes have in common."""

from __future__ import annotations

import contextlib
import logging
import math
import signal
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from queue import Empty, SimpleQueue

from naopt.execution.engine import Engine
from naopt.execution.jobs import Job
from naopt.execution.losses import Losses
from naopt.execution.worker import Begun, Setup
from naopt.execution.worker_process import Message, WorkerError, WorkerProcess
from naopt.measurement import Measurement

_RESTARTS = 3
"""How often in a row workers may die before one of them is ready, besides once each: what kills one may kill all."""
_LOOK = 0.5
"""Seconds after which it is looked whether a worker died and left its pipe open, with a process that it started."""
_FROM_OUTSIDE = {-signal.SIGTERM: "SIGTERM", -9: "SIGKILL"}
"""Exit codes of what the machine or somebody on it ended; a child that crashes ends with another signal."""

_log = logging.getLogger(__name__)


class ProcessPool(Engine):
    """An engine of processes on this machine.

    Workers are started as jobs come, and kept. One that is killed from outside (by a SIGKILL, as when the machine is
    out of memory, or a SIGTERM) is replaced and its job done again, three times at most. One that dies otherwise is
    the child's doing: a failed measurement.

    Args:
        setup: what workers begin with.
        environments: variables of each worker's environment; as many as there are workers.
        timeout: seconds that one evaluation may take; ``None`` for no limit.

    Raises (from ``submit`` and ``next_done``):
        WorkerError: workers cannot be started, or cannot begin.
    """

    def __init__(self, setup: Setup, environments: Sequence[Mapping[str, str]], timeout: float | None = None) -> None:
        self.workers, self.timeout = len(environments), timeout
        self._setup = setup
        self._free = dict(enumerate(environments))
        self._members: dict[WorkerProcess, int] = {}
        self._inbox: SimpleQueue[tuple[WorkerProcess, Message]] = SimpleQueue()
        self._environments = list(environments)
        self._waiting, self._ended = deque[Job](), deque[tuple[Job, Measurement]]()
        self._losses, self._deaths = Losses(), 0

    def submit(self, job: Job) -> None:
        """See ``Engine``."""
        self._waiting.append(job)
        self._distribute()

    def next_done(self, seconds: float | None = None) -> tuple[Job, Measurement] | None:
        """See ``Engine``."""
        end = math.inf if seconds is None else time.monotonic() + seconds
        self._hear_all()
        while not self._ended:
            now = time.monotonic()
            if now >= end:
                return None
            with contextlib.suppress(Empty):
                self._hear(*self._inbox.get(timeout=max(0.0, min(_LOOK, end - now, self._first_deadline() - now))))
            self._hear_all()
        return self._ended.popleft()

    def _hear_all(self) -> None:
        """Takes in what workers have said, before anything is held against them, and gives them what waits."""
        with contextlib.suppress(Empty):
            while True:
                self._hear(*self._inbox.get_nowait())
        self._look()
        self._distribute()

    def _distribute(self) -> None:
        """Gives jobs to workers that are ready, and starts as many as the other jobs need."""
        for worker in self._members:
            if self._waiting and worker.ready and worker.job is None:
                worker.give(self._waiting.popleft())
        starting = sum(not worker.ready for worker in self._members)
        for _ in range(min(len(self._waiting) - starting, len(self._free))):
            slot = min(self._free)
            worker = WorkerProcess(self._setup, self._inbox, self._free[slot])
            del self._free[slot]
            self._members[worker] = slot

    def _hear(self, worker: WorkerProcess, message: Message) -> None:
        if worker not in self._members:
            return
        match message:
            case Begun(problem=""):
                worker.ready, self._deaths = True, 0
            case Begun(problem=problem, details=details):
                _log.info("a worker cannot begin:\n%s", details)
                raise WorkerError(f"worker processes cannot begin: {problem}")
            case Measurement():
                self._end(worker, message)
            case None:
                self._bury(worker)

    def _look(self) -> None:
        for worker in list(self._members):
            if worker.exit_code is not None:
                self._bury(worker)
            elif worker.job is not None and self.timeout is not None and self._deadline(worker) <= time.monotonic():
                reason = f"took longer than {self.timeout:g} s"
                self._end(worker, Measurement(seconds=self.timeout, status="timeout", reason=reason))
                self._remove(worker)

    def _deadline(self, worker: WorkerProcess) -> float:
        return math.inf if worker.job is None or self.timeout is None else worker.started + self.timeout

    def _first_deadline(self) -> float:
        return min(map(self._deadline, self._members), default=math.inf)

    def _end(self, worker: WorkerProcess, found: Measurement) -> None:
        """A job is done; a failure keeps what was written."""
        job, worker.job = worker.job, None
        assert job is not None
        if not found.ok and (output := worker.output()):
            parts = [found.details, f"last lines of output:\n{output}"]
            found = replace(found, details="\n\n".join(part for part in parts if part))
        self._losses.forget(job)
        self._ended.append((job, found))

    def _bury(self, worker: WorkerProcess) -> None:
        """Takes note of a worker that has died."""
        code, job = worker.exit_code or 0, worker.job
        lost = _FROM_OUTSIDE.get(code)
        if not worker.ready:
            self._deaths += 1
            if self._deaths == _RESTARTS + self.workers - 1:
                last = (worker.output().splitlines() or ["out of memory?"])[-1]
                raise WorkerError(f"worker processes die before they begin to work with {exit_words(code)} ({last})")
            _log.warning("a worker process died before it began to work, with %s; another is started", exit_words(code))
        elif job is None:
            _log.info("an idle worker process died with %s", exit_words(code))
        elif lost is None:
            reason = f"its process died with {exit_words(code)}"
            self._end(worker, Measurement(seconds=time.monotonic() - worker.started, status="failed", reason=reason))
        elif self._losses.again(job, f"its process was killed ({lost})"):
            self._waiting.appendleft(job)
        else:
            reason = self._losses.reason(job, f"its process was killed ({lost}; out of memory?)")
            self._end(worker, Measurement(seconds=time.monotonic() - worker.started, status="failed", reason=reason))
        self._remove(worker)

    def _remove(self, worker: WorkerProcess) -> None:
        slot = self._members.pop(worker)
        self._free[slot] = self._environments[slot]
        worker.close()

    def close(self) -> None:
        """See ``Engine``."""
        for worker in self._members:
            if worker.exit_code is None:
                worker.terminate()
        for worker in list(self._members):
            self._remove(worker)
        self._waiting.clear()
        self._ended.clear()


def exit_words(code: int) -> str:
    """An exit code, with the name of the signal where it is one."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"exit code {code} ({signal.Signals(-code).name})"
    except ValueError:
        return f"exit code {code}"
