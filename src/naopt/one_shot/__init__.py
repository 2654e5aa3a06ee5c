"""Weight sharing: one supernet, and searchers that train it and learn from it."""

from naopt.one_shot.base import Memory, OneShotSearcher, one_shot
from naopt.one_shot.evaluator import SharedWeightsEvaluator
from naopt.one_shot.random_ws import RandomSharing
from naopt.one_shot.settings import OneShotSettings

__all__ = ["Memory", "OneShotSearcher", "OneShotSettings", "RandomSharing", "SharedWeightsEvaluator", "one_shot"]
