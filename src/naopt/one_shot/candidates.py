"""The end of a weight-sharing search as an ask/tell search: its candidates are measured one by one."""

from __future__ import annotations

from collections.abc import Sequence

from naopt.configuration import Settings
from naopt.problem import Objective, Problem
from naopt.searchers.base import Known, Proposal, Searcher
from naopt.spaces import Architecture, SearchSpace


class CandidateSearcher(Searcher):
    """Proposes given candidates, all at once, and nothing after them."""

    learns = False

    limited = True

    def __init__(
        self,
        space: SearchSpace,
        problem: Problem | Objective,
        candidates: Sequence[Proposal],
        *,
        seed: int,
        budget: int,
    ) -> None:
        super().__init__(space, problem, Settings(), seed=seed, budget=budget)
        self.candidates = candidates

    @property
    def round_size(self) -> int:
        """All of them."""
        return max(1, len(self.candidates))

    def ask(self, count: int, pending: Sequence[Architecture] = ()) -> list[Proposal]:
        """The candidates that are neither told nor pending."""
        known = Known(self.seen, pending)
        return [proposal for proposal in self.candidates if proposal.architecture not in known][:count]
