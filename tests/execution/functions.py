"""Evaluators from functions, for tests of engines."""

from __future__ import annotations

import os
from collections.abc import Callable

from naopt.errors import InputError
from naopt.evaluators.base import Evaluator
from naopt.execution import Job
from naopt.measurement import Measurement, MetricInfo
from naopt.spaces import Architecture
from tests.run.toys import SPACE, ToyEvaluator, toy


class FunctionEvaluator(Evaluator):
    """Scores an architecture by what a function of its value gives."""

    default_metric = "score"
    space = SPACE

    def __init__(self, function: Callable[[int], float], *, thread_safe: bool = True) -> None:
        self.function, self.thread_safe = function, thread_safe
        self.metrics = {"score": MetricInfo()}

    def evaluate(self, architecture: Architecture, seed: int) -> Measurement:
        return Measurement({"score": self.function(architecture.tokens[1])}, 0.01)


class Unready(ToyEvaluator):
    """Cannot be prepared in another process."""

    def prepare(self) -> None:
        if os.getpid() != self.parent:
            raise InputError("data", "x", "is only\nhere")


def job(value: int, index: int | None = None, seed: int = 0) -> Job:
    """An evaluation of the function at a value of 0..9."""
    return Job(value if index is None else index, toy("fine", value), seed)
