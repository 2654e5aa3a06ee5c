"""Runs: a search or a training in a directory, which survives being killed."""

from naopt.execution.conversation import SearcherError
from naopt.execution.trial import Trial
from naopt.run.config import RunConfig
from naopt.run.record import RunRecord, load_run
from naopt.run.run import Run, open_run
from naopt.run.start import resume_run, start_run

__all__ = [
    "Run",
    "RunConfig",
    "RunRecord",
    "SearcherError",
    "Trial",
    "load_run",
    "open_run",
    "resume_run",
    "start_run",
]
