"""Rankings: children of a weight-sharing run with shared weights and stand-alone, with a cache of trainings."""

from naopt.metrics import Estimate
from naopt.ranking.rank import rank
from naopt.ranking.result import (
    RankedChild,
    Ranking,
    RankingFigures,
    TopOverlap,
    ranking_figures,
    read_ranking,
)

__all__ = [
    "Estimate",
    "RankedChild",
    "Ranking",
    "RankingFigures",
    "TopOverlap",
    "rank",
    "ranking_figures",
    "read_ranking",
]
