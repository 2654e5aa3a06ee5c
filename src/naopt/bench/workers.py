"""Independent jobs in spawned processes."""

from __future__ import annotations

import logging
import multiprocessing
import os
import pickle
import sys
from collections.abc import Callable, Generator, Hashable, Iterable, Mapping
from concurrent.futures import Future, as_completed
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, TypeVar

from pebble import ProcessPool

from naopt.errors import InputError, NaoptError
from naopt.latent.threads import one_thread
from naopt.processes import interrupts_blocked, without_main

if TYPE_CHECKING:
    from multiprocessing.synchronize import Semaphore

_PATIENCE = 30.0
"""Seconds that a process may take to start after all jobs are done."""

R = TypeVar("R")
K = TypeVar("K", bound=Hashable)

_log = logging.getLogger(__name__)


class JobError(NaoptError):
    """A job of a benchmark raised."""


class _Shared:
    """What all jobs of a process have in common: unpacked once, when the first of them needs it."""

    packed = b""
    values: tuple[Any, ...] | None = None


def run_jobs(
    function: Callable[..., R],
    jobs: Mapping[K, tuple[Any, ...]],
    workers: int,
    shared: tuple[Any, ...] = (),
    by_name: Iterable[Any] = (),
) -> Generator[tuple[K, R], None, None]:
    """Results of ``function(*shared, *arguments)`` for each job, as they come in.

    Every job runs in a spawned process that computes with one thread, whatever the number of workers, so results do
    not depend on it. A process does many jobs, one after the other, and gets ``shared`` once. If a job raises, or the
    iterator is closed, those that still run are stopped; what has ended by then is yielded first.

    The processes do not run the main module again, so a script needs no guard; unless ``function`` is defined there.

    Args:
        function: importable; what it returns may not depend on the jobs that its process did before.
        jobs: key to arguments, all picklable.
        workers: number of processes, at least 1.
        shared: leading arguments of every job, such as a table; picklable.
        by_name: what jobs look up in a registry. If any of it is defined in the main module, which the processes do not
            know, the jobs run in this process, one at a time, and a warning is logged.

    Raises:
        InputError: a job raised one; names the job's key too.
        JobError: any other exception in a job; names the job's key.
    """
    if not jobs:
        return
    own = next((item for item in by_name if item.__module__ == "__main__"), None)
    if own is not None:
        _log.warning(
            "%s is defined in the main module: this process does all the work, one thing at a time", own.__name__
        )
        for key, arguments in jobs.items():
            yield key, _here(key, function, (*shared, *arguments))
        return
    context = multiprocessing.get_context("spawn")
    count, started = min(workers, len(jobs)), context.Semaphore(0)
    packed = pickle.dumps(shared, protocol=pickle.HIGHEST_PROTOCOL)
    pool = ProcessPool(max_workers=count, context=context, initializer=_begin_worker, initargs=(started, packed))
    with without_main() if function.__module__ != "__main__" else nullcontext():
        try:
            with interrupts_blocked():
                futures: dict[Future[R], K] = {
                    pool.schedule(_call, args=(function, arguments)): key for key, arguments in jobs.items()
                }
            for future in as_completed(futures):
                key = futures.pop(future)
                error = future.exception()
                if error is not None:
                    for other, name in futures.items():
                        if other.done() and other.exception() is None:
                            yield name, other.result()
                    raise _named(key, error) from error
                yield key, future.result()
            # A process that is stopped while it starts complains on standard error.
            for _ in range(count):
                started.acquire(timeout=_PATIENCE)
        finally:
            pool.stop()  # type: ignore[no-untyped-call]
            pool.join()


def _here(key: object, function: Callable[..., R], arguments: tuple[Any, ...]) -> R:
    try:
        with one_thread():
            return function(*arguments)
    except Exception as error:
        raise _named(key, error) from error


def _named(key: object, error: BaseException) -> NaoptError:
    if isinstance(error, InputError):
        return InputError(f"{key}: {error.what}", error.value, error.rule)
    said = str(error) if isinstance(error, NaoptError) else f"{type(error).__name__}: {error}"
    return JobError(f"{key}: {said}")


def _begin_worker(started: Semaphore, packed: bytes) -> None:
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"  # read when torch is loaded
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
    _Shared.packed, _Shared.values = packed, None
    started.release()


def _call(function: Callable[..., R], arguments: tuple[Any, ...]) -> R:
    if _Shared.values is None:
        _Shared.values = pickle.loads(_Shared.packed)  # noqa: S301 - what this program packed itself
        _Shared.packed = b""
    return function(*_Shared.values, *arguments)
