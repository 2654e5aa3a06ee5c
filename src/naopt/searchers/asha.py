"""Asynchronous successive halving: an architecture goes on as soon as it is among the best so far."""

from __future__ import annotations

import math
from collections.abc import Sequence

from naopt.configuration import Settings
from naopt.problem import Objective, Problem
from naopt.searchers.base import Proposal, searchers
from naopt.searchers.multi_fidelity import MultiFidelitySearcher
from naopt.searchers.successive_halving import HalvingSettings
from naopt.spaces import Architecture, SearchSpace


class ASHASettings(HalvingSettings):
    """Settings of ASHA."""


@searchers.register("asha")
class ASHASearcher(MultiFidelitySearcher):
    """Asynchronous successive halving (Li et al. 2020), Algorithm 2, from the cheapest level on.

    Whoever is free promotes the best architecture that is among the best 1/eta of its rung so far and was not promoted
    yet, looking at the highest rung first; where there is none, a random one is measured at the cheapest level.
    """

    settings_type = ASHASettings
    needs_fidelity = True
    learns = False  # as of ``BracketSearcher``

    def __init__(
        self, space: SearchSpace, problem: Problem | Objective, settings: Settings, *, seed: int, budget: int
    ) -> None:
        super().__init__(space, problem, settings, seed=seed, budget=budget)
        assert isinstance(settings, ASHASettings)
        self.eta = settings.eta

    def ask(
        self,
        count: int,
        pending: Sequence[Architecture] = (),
        levels: Sequence[int] = (),  # noqa: ARG002
    ) -> list[Proposal]:
        """One job if nothing is pending, so that the next one knows what it gave; else one for each that is free."""
        wanted = count if pending else 1
        found = self._promotions(wanted, pending)
        drawn = self.drawn(wanted - len(found), pending) if len(found) < wanted else []
        return found + [self.proposal(architecture, 0, "random") for architecture in drawn]

    def _promotions(self, count: int, pending: Sequence[Architecture]) -> list[Proposal]:
        found: list[Proposal] = []
        for level in range(self.full - 1, -1, -1):
            told = self.told_at[level]
            ratio = self.costs[level + 1] / self.costs[level] if self.eta is None else self.eta
            best = self.promotable(level, math.floor(len(told) / ratio + 1e-9))
            free = (a for a in best if self.reached(a) == level and a not in pending)
            found += [self.proposal(architecture, level + 1, "promotion") for architecture in free]
        return found[:count]
