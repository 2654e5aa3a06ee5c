"""Searches: the loop, the store, executors. One run is one search in one directory."""

from naopt.run.config import RunConfig
from naopt.run.executors import LocalExecutor, create_executor
from naopt.run.loop import Executor, Job, Observer, SearcherError, run_search, search
from naopt.run.record import RunRecord, load_run
from naopt.run.run import create_run, execute_run
from naopt.run.trial import Trial

__all__ = [
    "Executor",
    "Job",
    "LocalExecutor",
    "Observer",
    "RunConfig",
    "RunRecord",
    "SearcherError",
    "Trial",
    "create_executor",
    "create_run",
    "execute_run",
    "load_run",
    "run_search",
    "search",
]
