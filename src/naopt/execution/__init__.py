"""Execution: loops, jobs, engines, interrupts, progress. Knows searchers and evaluators, and no directory."""

from naopt.execution.asynchronous import run_async
from naopt.execution.conversation import SearcherError, Start
from naopt.execution.deadline import Deadline, TimeIsUpError
from naopt.execution.engine import Engine
from naopt.execution.engines import create_engine
from naopt.execution.estimate import Estimate
from naopt.execution.failures import FailureGuard, FailurePolicy, RetryingEngine
from naopt.execution.inline import InlineEngine
from naopt.execution.jobs import Job, evaluation_seed
from naopt.execution.local import LocalEngine, WorkerError
from naopt.execution.log import LogObserver
from naopt.execution.loop import run_search, search
from naopt.execution.measure import measure
from naopt.execution.observer import Observer, Observers
from naopt.execution.packing import UnpicklableError
from naopt.execution.thread_engine import ThreadEngine
from naopt.execution.trial import Trial

__all__ = [
    "Deadline",
    "Engine",
    "Estimate",
    "FailureGuard",
    "FailurePolicy",
    "InlineEngine",
    "Job",
    "LocalEngine",
    "LogObserver",
    "Observer",
    "Observers",
    "RetryingEngine",
    "SearcherError",
    "Start",
    "ThreadEngine",
    "TimeIsUpError",
    "Trial",
    "UnpicklableError",
    "WorkerError",
    "create_engine",
    "evaluation_seed",
    "measure",
    "run_async",
    "run_search",
    "search",
]
