"""Hyperband whose new architectures come from a model of what was measured (after BOHB)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from naopt.measurement import Measurement
from naopt.problem import Problem
from naopt.searchers.base import Known, Proposal, sample_new, searchers
from naopt.searchers.gp import GPSearcher, GPSettings
from naopt.searchers.hyperband import HyperbandSearcher, HyperbandSettings
from naopt.spaces import Architecture


class BOHBSettings(HyperbandSettings):
    """Settings of BOHB."""

    random_share: float = Field(1 / 3, ge=0, le=1)
    """Of new architectures, how many are random whatever the model says (paper)."""
    fewest: int | None = Field(None, ge=2)
    """Measurements at a level before the model is one of that level; by default one more than there are positions."""
    most: int = Field(200, ge=2)
    """The model learns from the latest so many measurements of its level."""


@searchers.register("bohb")
class BOHBSearcher(HyperbandSearcher):
    """BOHB (Falkner et al. 2018), with the Gaussian process of ``gp`` where the paper has density estimates.

    The model is of the highest level at which enough was measured. Brackets and promotions are those of Hyperband.
    """

    settings_type = BOHBSettings
    learns = True

    def new(self, count: int, level: int, pending: Sequence[Architecture]) -> list[Proposal]:
        """A share of them random, the others of largest expected improvement at the level of the model."""
        options, modelled = self.settings, self._modelled()
        assert isinstance(options, BOHBSettings)
        rng = self.generator(1, pending=pending)
        chosen = 0 if modelled < 0 else int((rng.random(count) >= options.random_share).sum())
        found = self._promising(chosen, modelled, pending) if chosen else []
        known = Known(self.seen, pending, found)
        others = sample_new(self.space, known, count - len(found), self.generator(pending=pending))
        return [
            *(self.proposal(architecture, level, "model") for architecture in found),
            *(self.proposal(architecture, level, "random") for architecture in others),
        ]

    def _modelled(self) -> int:
        """The highest level with enough scores; -1 for none."""
        options = self.settings
        assert isinstance(options, BOHBSettings)
        fewest = options.fewest or len(self.space.positions) + 1
        scores = [sum(score is not None for score in told.values()) for told in self.told_at]
        return max((level for level, count in enumerate(scores) if count >= fewest), default=-1)

    def _promising(self, count: int, level: int, pending: Sequence[Architecture]) -> list[Architecture]:
        options = self.settings
        assert isinstance(options, BOHBSettings)
        told = list(self.told_at[level].items())[-options.most :]
        problem = Problem((self.objectives[level],), self.problem.known, self.problem.costs)
        seed = int(np.random.SeedSequence([self.seed, len(self.history)]).generate_state(1)[0])
        model = GPSearcher(
            self.space, problem, GPSettings(initial=1, batch=count, candidates="local"), seed=seed, budget=count
        )
        for architecture, score in told:
            measurement = Measurement(status="failed", reason="failed")
            if score is not None:
                measurement = Measurement({model.objective.metric: model.objective.sign * score})
            model.tell(architecture, measurement)
        model.seen.update(self.seen, pending)
        return [proposal.architecture for proposal in model.ask(count)]
