"""Evaluators from functions, for tests of engines."""

from __future__ import annotations

from collections.abc import Callable

from naopt.evaluators.base import Evaluator
from naopt.execution import Job
from naopt.measurement import Measurement, MetricInfo
from naopt.spaces import Architecture
from tests.run.toys import SPACE, toy


class FunctionEvaluator(Evaluator):
    """Scores an architecture by what a function of its value gives."""

    default_metric = "score"
    space = SPACE

    def __init__(self, function: Callable[[int], float], *, thread_safe: bool = True) -> None:
        self.function, self.thread_safe = function, thread_safe
        self.metrics = {"score": MetricInfo()}

    def evaluate(self, architecture: Architecture, seed: int) -> Measurement:
        return Measurement({"score": self.function(architecture.tokens[1])}, 0.01)


def job(value: int, index: int | None = None, seed: int = 0) -> Job:
    """An evaluation of the function at a value of 0..9."""
    return Job(value if index is None else index, toy("fine", value), seed)
