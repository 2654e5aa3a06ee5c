"""Independent jobs in spawned processes."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable, Generator, Hashable, Mapping
from concurrent.futures import Future, as_completed
from typing import Any, TypeVar

from pebble import ProcessPool

from naopt.errors import NaoptError

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
    pool = ProcessPool(
        max_workers=min(workers, len(jobs)), context=multiprocessing.get_context("spawn"), initializer=_one_thread
    )
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
    finally:
        pool.stop()  # type: ignore[no-untyped-call]
        pool.join()


def _one_thread() -> None:
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"  # read when torch is loaded
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
