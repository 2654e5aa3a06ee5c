"""From an architecture to a measurement: by table, by training. Imports no torch."""

from naopt.evaluators.base import Evaluator, evaluators
from naopt.evaluators.table import TableEvaluator
from naopt.evaluators.training import TrainingEvaluator, training_settings
from naopt.networks.settings import TrainingSettings

__all__ = ["Evaluator", "TableEvaluator", "TrainingEvaluator", "TrainingSettings", "evaluators", "training_settings"]
