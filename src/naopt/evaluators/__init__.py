"""From an architecture to a measurement: by table, by training, by a function. Imports no torch."""

from naopt.evaluators.base import Evaluator, evaluators
from naopt.evaluators.function import FunctionEvaluator
from naopt.evaluators.table import TableEvaluator
from naopt.evaluators.training import TrainingEvaluator
from naopt.evaluators.workloads import Workload, create_workload
from naopt.evaluators.zero_cost import ZeroCostEvaluator
from naopt.training.settings import TrainingSettings

__all__ = [
    "Evaluator",
    "FunctionEvaluator",
    "TableEvaluator",
    "TrainingEvaluator",
    "TrainingSettings",
    "Workload",
    "ZeroCostEvaluator",
    "create_workload",
    "evaluators",
]
