"""A worker process as its parent sees it."""

from __future__ import annotations

import contextlib
import json
import multiprocessing.spawn
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from queue import SimpleQueue
from typing import TYPE_CHECKING

from naopt.errors import NaoptError
from naopt.execution.jobs import Job
from naopt.execution.worker import START, Begun, Setup
from naopt.measurement import Measurement

if TYPE_CHECKING:
    from typing import IO

Message = Begun | Measurement | None
"""What a worker says; ``None`` when it has died."""

_THREADS = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""Read when torch or BLAS is first imported: more threads than cores slow all workers down."""
_LINES, _CHARACTERS = 50, 8000
"""How much of an evaluation's output is kept."""
_GRACE = 2.0
"""Seconds that a process is given to end by itself."""


class WorkerError(NaoptError):
    """Worker processes cannot be started, or cannot begin."""


class WorkerProcess:
    """One process, which evaluates one job at a time.

    It is a Python of its own that imports no main module, so scripts need no guard. It has its own group of processes:
    Ctrl-C does not reach it, and whatever an evaluation starts ends with it.

    Args:
        setup: what it begins with.
        inbox: gets ``(worker, message)`` for all that it says.
        variables: of its environment, besides those of this process.

    Attributes:
        job: what it is doing.
        started: when it was given that, by the monotonic clock.
        ready: whether it has begun.

    Raises:
        WorkerError: the system starts no process.
    """

    def __init__(
        self, setup: Setup, inbox: SimpleQueue[tuple[WorkerProcess, Message]], variables: Mapping[str, str]
    ) -> None:
        self.job: Job | None = None
        self.started, self.ready = 0.0, False
        self._inbox = inbox
        command = [os.fsdecode(multiprocessing.spawn.get_executable()), "-P", "-c", START, json.dumps(sys.path)]
        try:
            self._output: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the worker
            self._process = subprocess.Popen(  # noqa: S603 - this Python
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._output,
                env={**os.environ, **_THREADS, **variables},
                process_group=0 if os.name == "posix" else None,
            )
        except OSError as error:
            raise WorkerError(f"worker processes cannot be started: {error}") from error
        self._thread = threading.Thread(target=self._talk, args=(setup,), daemon=True)
        self._thread.start()

    def _talk(self, setup: Setup) -> None:
        assert self._process.stdout is not None
        with (
            self._process.stdout as answers,
            contextlib.suppress(EOFError, OSError, ValueError, pickle.UnpicklingError),
        ):
            self._write(setup)
            while True:
                self._inbox.put((self, pickle.load(answers)))  # noqa: S301 - from this program's worker
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_GRACE)
        self._inbox.put((self, None))

    def _write(self, message: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(pickle.dumps(message))
        self._process.stdin.flush()

    def give(self, job: Job) -> None:
        """Has it evaluate; it must be ready and free."""
        self.job, self.started = job, time.monotonic()
        with contextlib.suppress(OSError):  # it has died, and that will be said
            self._write(job)

    @property
    def exit_code(self) -> int | None:
        """``None`` while it lives; negative for a signal."""
        return self._process.poll()

    def output(self) -> str:
        """The last lines that were written since its job began."""
        file = self._output.fileno()
        text = (
            os.pread(file, _CHARACTERS, max(0, os.fstat(file).st_size - _CHARACTERS)).decode(errors="replace").strip()
        )
        return "\n".join(text.splitlines()[-_LINES:])

    def terminate(self) -> None:
        """Asks it to end, with all that it started."""
        self._signal(signal.SIGTERM)

    def close(self) -> None:
        """Ends it, with all that it started, if it lives, and forgets its output."""
        if self.exit_code is None:
            self.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_GRACE)
        self._signal(signal.SIGKILL if os.name == "posix" else signal.SIGTERM)
        self._process.wait()
        self._thread.join(_GRACE)
        self._output.close()
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):  # what was written and not read
            self._process.stdin.close()

    def _signal(self, number: signal.Signals) -> None:
        """To the whole group, whose other members may live on when the worker itself has died."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if os.name == "posix":
                os.killpg(self._process.pid, number)
            else:
                self._process.terminate()
