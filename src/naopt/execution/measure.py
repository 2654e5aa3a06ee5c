"""One evaluation, whatever happens to it."""

from __future__ import annotations

import time

from naopt.evaluators.base import Evaluator
from naopt.execution.jobs import Job
from naopt.measurement import Measurement, Status
from naopt.traces import trace


def measure(evaluator: Evaluator, job: Job) -> Measurement:
    """One evaluation; an exception becomes a ``failed`` (out of memory: ``oom``) measurement with its text.

    A job whose batch was halved is measured with the evaluator's smaller batch, and the measurement's reason says so.
    """
    started = time.perf_counter()
    try:
        evaluator = evaluator.at(job.level).again(job.repeat)
        smaller = evaluator.smaller(job.halvings) if job.halvings else evaluator
        if smaller is None:
            raise ValueError(f"its batch cannot be halved {job.halvings} times")
        found = smaller.evaluate(job.architecture, job.seed)
        if not isinstance(found, Measurement):
            raise TypeError(f"the evaluator gave {type(found).__name__}, not a Measurement")
        reason = found.reason
        if job.halvings:
            reason = f"batch {smaller.batch} instead of {evaluator.batch}: {reason or 'out of memory'}"
        return Measurement(found.metrics, found.seconds, found.status, reason, found.details)
    except MemoryError as error:
        return _failed(error, "oom", f"out of memory: {_line(error)}", started)
    except Exception as error:
        return _failed(error, "failed", f"{type(error).__name__}: {_line(error)}", started)


def _failed(error: Exception, status: Status, reason: str, started: float) -> Measurement:
    return Measurement(seconds=time.perf_counter() - started, status=status, reason=reason, details=trace(error))


def _line(error: BaseException) -> str:
    try:
        return " ".join(str(error).split())[:300] or "no message"
    except Exception as own:
        return f"its text raises {type(own).__name__}"
