"""Searches: the loop, the store, executors. One run is one search in one directory."""

from naopt.run.config import RunConfig
from naopt.run.executors import LocalExecutor, create_executor
from naopt.run.loop import Executor, Job, Observer, SearcherError, run_search, search
from naopt.run.record import RunRecord, load_run
from naopt.run.run import resume_run, start_run
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
    "load_run",
    "resume_run",
    "run_search",
    "search",
    "start_run",
]
