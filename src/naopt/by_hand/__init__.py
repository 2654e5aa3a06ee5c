"""Searches whose architectures are measured elsewhere: ask for some, tell what they gave, whenever that is."""

from naopt.by_hand.results import Result, read_results
from naopt.by_hand.search import OpenSearch, begin_search

__all__ = ["OpenSearch", "Result", "begin_search", "read_results"]
