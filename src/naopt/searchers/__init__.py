"""Ask/tell searchers. They never import evaluators, networks, tasks or runs, and torch only when they need it."""

from naopt.problem import Objective, Problem
from naopt.searchers.asha import ASHASearcher
from naopt.searchers.bananas import BananasSearcher
from naopt.searchers.base import Proposal, Searcher, searchers
from naopt.searchers.bohb import BOHBSearcher
from naopt.searchers.boosted_trees import BoostedTreesSearcher
from naopt.searchers.dppnet import DPPNetSearcher
from naopt.searchers.evolution import EvolutionSearcher
from naopt.searchers.gp import GPSearcher
from naopt.searchers.hierarchical import HierarchicalSearcher
from naopt.searchers.hyperband import HyperbandSearcher
from naopt.searchers.local_search import LocalSearcher
from naopt.searchers.making import make_searcher
from naopt.searchers.monas import MONASSearcher
from naopt.searchers.nao import NAOSearcher
from naopt.searchers.npenas import NPENASSearcher
from naopt.searchers.nsga2 import NSGA2Searcher
from naopt.searchers.pnas import PNASSearcher
from naopt.searchers.random_search import RandomSearcher
from naopt.searchers.reinforce import ReinforceSearcher
from naopt.searchers.scalarised import Scalarisation, Scalarised
from naopt.searchers.seminas import SemiNASSearcher
from naopt.searchers.successive_halving import SuccessiveHalvingSearcher
from naopt.searchers.tnao import TNAOSearcher
from naopt.searchers.tpe import TPESearcher
from naopt.searchers.zero_cost import ZeroCostSearcher

__all__ = [
    "ASHASearcher",
    "BOHBSearcher",
    "BananasSearcher",
    "BoostedTreesSearcher",
    "DPPNetSearcher",
    "EvolutionSearcher",
    "GPSearcher",
    "HierarchicalSearcher",
    "HyperbandSearcher",
    "LocalSearcher",
    "MONASSearcher",
    "NAOSearcher",
    "NPENASSearcher",
    "NSGA2Searcher",
    "Objective",
    "PNASSearcher",
    "Problem",
    "Proposal",
    "RandomSearcher",
    "ReinforceSearcher",
    "Scalarisation",
    "Scalarised",
    "Searcher",
    "SemiNASSearcher",
    "SuccessiveHalvingSearcher",
    "TNAOSearcher",
    "TPESearcher",
    "ZeroCostSearcher",
    "make_searcher",
    "searchers",
]
