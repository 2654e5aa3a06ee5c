"""What stands for the laboratory or the cluster."""

from __future__ import annotations

from naopt.errors import NaoptError
from naopt.evaluators.base import Evaluator
from naopt.measurement import Goal, Measurement, MetricInfo
from naopt.problem import Problem
from naopt.spaces import Architecture, SearchSpace


class MeasuredElsewhere(Evaluator):
    """Says what is measured elsewhere; measures nothing itself.

    Args:
        space: of the architectures.
        problem: what they are measured for.
    """

    def __init__(self, space: SearchSpace, problem: Problem) -> None:
        self.space, self.default_metric = space, problem.objective.metric
        goals: dict[str, Goal] = {limit.metric: "min" if limit.bound == "max" else "max" for limit in problem.limits}
        goals |= {objective.metric: objective.goal for objective in problem.objectives}
        self.metrics = {name: MetricInfo(goals[name]) for name in problem.metrics}

    def evaluate(self, architecture: Architecture, seed: int) -> Measurement:  # noqa: ARG002
        """Raises ``NaoptError``."""
        raise NaoptError(f"{self.space.format(architecture)} is measured elsewhere")
