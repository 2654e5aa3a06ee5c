"""A worker process from the inside: takes jobs from its standard input, and answers on its standard output.

Both are put away before anything else runs, for code of evaluations may read and write there: it reads nothing, and
what it writes goes where standard error goes, to a file that the parent reads when an evaluation failed. The file is
emptied before each evaluation.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import os
import pickle
import signal
import sys
import threading
from dataclasses import dataclass
from queue import SimpleQueue
from typing import BinaryIO

from naopt.execution.jobs import Job
from naopt.execution.measure import measure
from naopt.execution.packing import unpack
from naopt.traces import trace

START = """
import json, sys
sys.path[:] = json.loads(sys.argv.pop())
from naopt.execution.worker import main
sys.exit(main())
"""
"""What ``python -c`` runs, with ``sys.path`` in JSON as argument. It never imports the parent's main module."""


@dataclass(frozen=True, slots=True)
class Setup:
    """First message to a worker: its evaluator, packed, and the parent's ``sys.argv``."""

    evaluator: bytes
    argv: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Begun:
    """First message of a worker: it is ready, or why not, in one line and in full."""

    problem: str = ""
    details: str = ""


def main() -> int:
    """Works until standard input ends, which ends the process wherever it is; the parent has gone, or wants no more."""
    inbox, outbox = _private_channels()
    jobs: SimpleQueue[Job] = SimpleQueue()
    setup: Setup = pickle.load(inbox)  # noqa: S301 - from the parent
    sys.argv[:] = setup.argv
    threading.Thread(target=_receive, args=(inbox, jobs), daemon=True).start()
    try:
        evaluator = unpack(setup.evaluator)
        evaluator.prepare()
    except Exception as error:
        _send(outbox, Begun(" ".join(f"{type(error).__name__}: {error}".split()), trace(error)))
        return 1
    _send(outbox, Begun())
    while True:
        job = jobs.get()
        os.ftruncate(2, 0)
        os.lseek(2, 0, os.SEEK_SET)
        found = measure(evaluator, job)
        _flush()
        _send(outbox, found)


def _private_channels() -> tuple[BinaryIO, BinaryIO]:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's
    inbox, outbox = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 - as long as the process
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="replace", line_buffering=True)  # type: ignore[union-attr]
    faulthandler.enable()
    return inbox, outbox


def _receive(inbox: BinaryIO, jobs: SimpleQueue[Job]) -> None:
    try:
        while True:
            jobs.put(pickle.load(inbox))  # noqa: S301 - from the parent
    except (EOFError, OSError):
        if hasattr(os, "killpg") and os.getpgrp() == os.getpid():
            os.killpg(0, signal.SIGKILL)  # with the processes that the evaluation has started
        os._exit(1)


def _send(outbox: BinaryIO, message: object) -> None:
    outbox.write(pickle.dumps(message))
    outbox.flush()


def _flush() -> None:
    """What was written is in the file, also that of C."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # whatever an evaluation has put there, or closed
            stream.flush()
    if os.name == "posix":
        ctypes.CDLL(None).fflush(None)
