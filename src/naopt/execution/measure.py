"""One evaluation, whatever happens to it."""

from __future__ import annotations

import time

from naopt.evaluators.base import Evaluator
from naopt.execution.jobs import Job
from naopt.measurement import Measurement


def measure(evaluator: Evaluator, job: Job) -> Measurement:
    """One evaluation; an exception becomes a ``failed`` (out of memory: ``oom``) measurement with its text."""
    started = time.perf_counter()
    try:
        found = evaluator.evaluate(job.architecture, job.seed)
    except MemoryError as error:
        return Measurement(seconds=time.perf_counter() - started, status="oom", reason=f"out of memory: {_line(error)}")
    except Exception as error:
        reason = f"{type(error).__name__}: {_line(error)}"
        return Measurement(seconds=time.perf_counter() - started, status="failed", reason=reason)
    return Measurement(dict(found.metrics), found.seconds, found.status, found.reason)


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300] or "no message"
