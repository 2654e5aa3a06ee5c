"""What stands for the laboratory or the cluster."""

from __future__ import annotations

from naopt.errors import NaoptError
from naopt.evaluators.base import Evaluator
from naopt.measurement import Measurement, MetricInfo
from naopt.problem import Objective
from naopt.spaces import Architecture, SearchSpace


class MeasuredElsewhere(Evaluator):
    """Says what is measured elsewhere; measures nothing itself.

    Args:
        space: of the architectures.
        objective: what they are measured for.
    """

    def __init__(self, space: SearchSpace, objective: Objective) -> None:
        self.space, self.default_metric = space, objective.metric
        self.metrics = {objective.metric: MetricInfo(objective.goal)}

    def evaluate(self, architecture: Architecture, seed: int) -> Measurement:  # noqa: ARG002
        """Raises ``NaoptError``."""
        raise NaoptError(f"{self.space.format(architecture)} is measured elsewhere")
