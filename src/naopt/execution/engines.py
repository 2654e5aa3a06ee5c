"""Engines by name."""

from __future__ import annotations

from naopt.evaluators.base import Evaluator
from naopt.execution.engine import Engine
from naopt.execution.local import LocalEngine


def create_engine(engine: str, evaluator: Evaluator, workers: int, timeout: float | None = None) -> Engine:
    """The engine of that name: ``local`` or ``ray``. Inline evaluators run in this process on every engine.

    Raises:
        InputError: Ray is asked for and not installed, or what ``evaluator.prepare`` finds.
    """
    if engine == "ray" and not evaluator.inline:
        from naopt.execution.ray_engine import RayEngine

        return RayEngine(evaluator, workers, timeout)
    return LocalEngine(evaluator, workers, timeout)
