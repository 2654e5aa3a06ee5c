"""The best of many random architectures, by what is known before training: the baseline of zero-cost proxies."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from naopt.configuration import Settings
from naopt.problem import Objective, Problem
from naopt.searchers.base import Known, Proposal, Searcher, of_budget, searchers
from naopt.searchers.priors import ALL, BestDrawn, read_priors
from naopt.spaces import Architecture, SearchSpace

_SHARE = 10.0
_WHAT = "searcher zero-cost, proxy"


class ZeroCostSettings(Settings):
    """Settings of the search by what is known before training."""

    proxy: str = ALL
    """Names of what is known beforehand, separated by commas, ``min:NAME`` where less is better; the mean of the ranks
    decides. ``all`` for all there is."""
    draws: int | None = Field(None, ge=1)
    """N: how many random architectures are looked at before the best are measured; unset for ten times the budget."""


@searchers.register("zero-cost")
class ZeroCostSearcher(Searcher):
    """Measures the best of N random architectures, the best first, by what is known before training.

    Learns nothing from measurements. When all N are measured another N are drawn. Several zero-cost proxies vote by the
    mean of their ranks.
    """

    settings_type = ZeroCostSettings
    learns = False
    several = informed = needs_priors = True

    def __init__(
        self, space: SearchSpace, problem: Problem | Objective, settings: ZeroCostSettings, *, seed: int, budget: int
    ) -> None:
        super().__init__(space, problem, settings, seed=seed, budget=budget)
        order = read_priors(self.problem, settings.proxy, _WHAT)
        draws = of_budget(settings.draws, _SHARE, budget)
        self._drawn = BestDrawn(space, self.problem, order, draws=draws, seed=seed)

    @classmethod
    def check(cls, problem: Problem, settings: Settings) -> None:
        """See ``Searcher.check``."""
        assert isinstance(settings, ZeroCostSettings)
        read_priors(problem, settings.proxy, _WHAT)

    @property
    def round_size(self) -> int:
        """The whole budget: nothing is learned."""
        return self.budget

    def ask(self, count: int, pending: Sequence[Architecture] = ()) -> list[Proposal]:
        """The ``count`` best that are neither told nor pending."""
        found = self._drawn.take(count, Known(self.seen, pending))
        return [Proposal(architecture, "zero-cost") for architecture in found]
