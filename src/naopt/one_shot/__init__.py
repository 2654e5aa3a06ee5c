"""Weight sharing: one supernet, and searchers that train it and learn from it."""

from naopt.one_shot.base import Memory, OneShotSearcher, one_shot
from naopt.one_shot.darts import DARTSSearcher
from naopt.one_shot.distribution import ArchitectureDistribution
from naopt.one_shot.enas import ENASSearcher, ENASSettings
from naopt.one_shot.evaluator import SharedWeightsEvaluator
from naopt.one_shot.instanas import InstaNASSearcher
from naopt.one_shot.nao_ws import NAOSharing
from naopt.one_shot.parsec import PARSECSearcher
from naopt.one_shot.random_ws import RandomSharing
from naopt.one_shot.settings import OneShotSettings

__all__ = [
    "ArchitectureDistribution",
    "DARTSSearcher",
    "ENASSearcher",
    "ENASSettings",
    "InstaNASSearcher",
    "Memory",
    "NAOSharing",
    "OneShotSearcher",
    "OneShotSettings",
    "PARSECSearcher",
    "RandomSharing",
    "SharedWeightsEvaluator",
    "one_shot",
]
