"""Ask/tell searchers. They never import evaluators, networks, tasks or runs, and torch only when they need it."""

from naopt.searchers.base import Objective, Proposal, Searcher, searchers
from naopt.searchers.nao import NAOSearcher
from naopt.searchers.random_search import RandomSearcher

__all__ = ["NAOSearcher", "Objective", "Proposal", "RandomSearcher", "Searcher", "searchers"]
