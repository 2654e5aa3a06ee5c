"""The end of a weight-sharing search as an ask/tell search: its candidates are measured one by one."""

from __future__ import annotations

from collections.abc import Sequence

from naopt.configuration import Settings
from naopt.searchers.base import Objective, Proposal, Searcher
from naopt.spaces import SearchSpace


class CandidateSearcher(Searcher):
    """Proposes given candidates, all at once, and nothing after them."""

    def __init__(
        self, space: SearchSpace, objective: Objective, candidates: Sequence[Proposal], *, seed: int, budget: int
    ) -> None:
        super().__init__(space, objective, Settings(), seed=seed, budget=budget)
        self.candidates = candidates

    def ask(self, count: int) -> list[Proposal]:
        """The candidates that were not told yet."""
        return [proposal for proposal in self.candidates if proposal.architecture not in self.seen][:count]
