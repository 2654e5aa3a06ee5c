"""Engines by name."""

from __future__ import annotations

import logging

from naopt.errors import InputError, UnknownNameError
from naopt.evaluators.base import Evaluator
from naopt.execution.engine import Engine
from naopt.execution.failures import FailurePolicy, RetryingEngine
from naopt.execution.inline import InlineEngine
from naopt.execution.local import LocalEngine
from naopt.execution.packing import UnpicklableError
from naopt.execution.thread_engine import ThreadEngine

ENGINES = ("local", "ray", "threads", "inline")

_log = logging.getLogger(__name__)


def create_engine(
    engine: str,
    evaluator: Evaluator,
    workers: int,
    timeout: float | None = None,
    *,
    workers_per_device: int = 1,
    failures: FailurePolicy | None = None,
) -> Engine:
    """The engine of that name: ``local``, ``ray``, ``threads`` or ``inline``.

    Inline evaluators run in this process on every engine. So do those that cannot be sent to a process, in
    threads if they allow it, and a warning is logged.

    Args:
        engine: its name.
        evaluator: what measures.
        workers: how many evaluations at a time.
        timeout: seconds that one evaluation may take; ``None`` for no limit.
        workers_per_device: how many workers of this machine a CUDA device may have.
        failures: what is done about failed evaluations; by default nothing.

    Raises:
        InputError: Ray is asked for and not installed, or the evaluator cannot be sent to it; no such engine, too many
            workers for the devices, or what ``evaluator.prepare`` finds.
    """
    if evaluator.inline:
        made: Engine = InlineEngine(evaluator)
    else:
        made = _outside(engine, evaluator, workers, timeout, workers_per_device)
    return RetryingEngine(made, failures, evaluator) if failures is not None and failures.acts else made


def _outside(engine: str, evaluator: Evaluator, workers: int, timeout: float | None, per_device: int) -> Engine:
    if engine == "ray":
        from naopt.execution.ray_engine import RayEngine

        try:
            return RayEngine(evaluator, workers, timeout)
        except UnpicklableError as error:
            raise InputError("engine", engine, str(error)) from error
    if engine == "inline":
        return InlineEngine(evaluator)
    if engine == "local":
        try:
            return LocalEngine(evaluator, workers, timeout, workers_per_device=per_device)
        except UnpicklableError as error:
            where = "threads of this process" if evaluator.thread_safe else "this process, one at a time"
            _log.warning("%s: evaluations run in %s, not in processes of their own", error, where)
        if not evaluator.thread_safe:
            return InlineEngine(evaluator)
    elif engine != "threads":
        raise UnknownNameError("engine", engine, ENGINES)
    return ThreadEngine(evaluator, workers, timeout)
