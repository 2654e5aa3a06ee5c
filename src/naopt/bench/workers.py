"""Independent jobs in spawned processes."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable, Generator, Hashable, Mapping
from concurrent.futures import Future, as_completed
from typing import TYPE_CHECKING, Any, TypeVar

from pebble import ProcessPool

from naopt.errors import NaoptError

if TYPE_CHECKING:
    from multiprocessing.synchronize import Semaphore

_PATIENCE = 30.0
"""Seconds that a process may take to start after all jobs are done."""

R = TypeVar("R")
K = TypeVar("K", bound=Hashable)


class JobError(NaoptError):
    """A job of a benchmark raised."""


def run_jobs(
    function: Callable[..., R], jobs: Mapping[K, tuple[Any, ...]], workers: int
) -> Generator[tuple[K, R], None, None]:
    """Results of ``function(*arguments)`` for each job, as they come in.

    Every job runs in a spawned process that computes with one thread, whatever the number of workers, so results do
    not depend on it. If a job raises, or the iterator is closed, the others are stopped.

    Args:
        function: importable.
        jobs: key to arguments, all picklable.
        workers: number of processes, at least 1.

    Raises:
        NaoptError: what a job raised on purpose.
        JobError: any other exception in a job; names the job's key.
    """
    if not jobs:
        return
    context = multiprocessing.get_context("spawn")
    count, started = min(workers, len(jobs)), context.Semaphore(0)
    pool = ProcessPool(max_workers=count, context=context, initializer=_begin_worker, initargs=(started,))
    try:
        futures: dict[Future[R], K] = {pool.schedule(function, args=arguments): key for key, arguments in jobs.items()}
        for future in as_completed(futures):
            key = futures[future]
            try:
                result = future.result()
            except NaoptError:
                raise
            except Exception as error:
                raise JobError(f"{key}: {type(error).__name__}: {error}") from error
            yield key, result
        # A process that is stopped while it starts complains on standard error.
        for _ in range(count):
            started.acquire(timeout=_PATIENCE)
    finally:
        pool.stop()  # type: ignore[no-untyped-call]
        pool.join()


def _begin_worker(started: Semaphore) -> None:
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"  # read when torch is loaded
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
    started.release()
