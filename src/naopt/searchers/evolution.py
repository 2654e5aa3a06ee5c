"""Regularised evolution (Real et al. 2019): the oldest dies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from naopt.configuration import PresetSettings, Settings
from naopt.errors import InputError
from naopt.measurement import Measurement
from naopt.problem import Objective, Problem
from naopt.searchers.base import Known, Proposal, Searcher, sample_new, searchers
from naopt.searchers.priors import BestDrawn, read_priors
from naopt.spaces import Architecture, SearchSpace

_WHAT = "searcher evolution, warmup_proxy"
_DRAWS = 10
"""Random architectures for each of the first population, where a proxy chooses."""


class EvolutionSettings(PresetSettings):
    """Settings of regularised evolution; presets hold the published ones."""

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "default": {},
        "real2019": {"population": 100, "sample": 25},
        "nasbench101": {"population": 100, "sample": 10},
        "nasbench201": {"population": 10, "sample": 3},
    }

    preset: Literal["default", "real2019", "nasbench101", "nasbench201"] = "default"
    population: int = Field(30, ge=1)
    """P: the latest so many measured architectures, from which parents are chosen; so many random ones come first."""
    sample: int = Field(10, ge=1)
    """S: how many of the population are drawn, the best of which becomes the parent."""
    replacement: bool = True
    """Whether one of the population may be drawn twice for one tournament (Real et al. 2019, Algorithm 1)."""
    attempts: int = Field(20, ge=1)
    """Mutations of a parent that are tried for a child that was not measured before; then a random architecture
    takes its place."""
    warmup_proxy: str = ""
    """The first population is the best of random architectures by what is known before training: names, separated by
    commas, ``min:NAME`` where less is better, the mean of the ranks deciding; or ``all``. Empty for any random ones."""
    warmup_draws: int | None = Field(None, ge=1)
    """How many random architectures the first population is chosen from; unset for ten times as many."""
    batch: int = Field(1, ge=1)
    """Children of one round; more than 1 keeps several workers busy, with a population that is that much older."""


@searchers.register("evolution")
class EvolutionSearcher(Searcher):
    """Regularised evolution: the best of a random sample of the population has a mutated child, and the oldest dies.

    Real, Aggarwal, Huang, Le 2019, "Regularized evolution for image classifier architecture search" (AmoebaNet),
    Algorithm 1. The population is the latest ``population`` architectures that have a score, so nothing but the
    history is kept. Departures: no architecture is measured twice (where a child was, the parent is mutated again), and
    failed measurements do not enter the population. Asked while others are pending it is asynchronous, as the paper's
    is: each result that comes makes room for one child of those that are measured. With ``warmup_proxy`` the random
    first population is the best of many random architectures (Abdelfattah et al. 2021, section 5).
    """

    settings_type = EvolutionSettings
    informed = True

    def __init__(
        self, space: SearchSpace, problem: Problem | Objective, settings: EvolutionSettings, *, seed: int, budget: int
    ) -> None:
        super().__init__(space, problem, settings, seed=seed, budget=budget)
        self.options = settings
        self._scored: list[tuple[Architecture, float]] = []
        self._warmup: BestDrawn | None = None
        if settings.warmup_proxy:
            draws = settings.warmup_draws or _DRAWS * settings.population
            order = read_priors(self.problem, settings.warmup_proxy, _WHAT)
            self._warmup = BestDrawn(space, self.problem, order, draws=draws, seed=seed)

    @classmethod
    def check(cls, problem: Problem, settings: Settings) -> None:
        """See ``Searcher.check``."""
        assert isinstance(settings, EvolutionSettings)
        if settings.warmup_proxy:
            read_priors(problem, settings.warmup_proxy, _WHAT)
        elif problem.priors is not None:
            raise InputError(_WHAT, "", "what is known beforehand has a use only with it: all, or names")

    def tell(self, architecture: Architecture, measurement: Measurement) -> None:
        """Takes note of one measurement; one with a score is the youngest of the population."""
        super().tell(architecture, measurement)
        score = self.objective.score(measurement)
        if score is not None:
            self._scored.append((architecture, score))

    @property
    def population(self) -> list[tuple[Architecture, float]]:
        """Architectures and scores, the oldest first."""
        return self._scored[-self.options.population :]

    @property
    def round_size(self) -> int:
        """The setting ``batch``."""
        return self.options.batch

    def ask(self, count: int, pending: Sequence[Architecture] = ()) -> list[Proposal]:
        """The rest of the random population, or ``batch`` children; with something pending, ``count`` of either.

        As in the paper what is pending is neither of the population nor a parent: random architectures are proposed
        until so many are measured as the population has, and then children of those that are.
        """
        rng, known = self.generator(pending=pending), Known(self.seen, pending)
        missing = self.options.population - len(self._scored)
        if missing > 0:
            wanted = count if pending else min(count, missing)
            best = [] if self._warmup is None else self._warmup.take(wanted, known, 1)
            drawn = sample_new(self.space, Known(known, best), wanted - len(best), rng) if len(best) < wanted else []
            return [*(Proposal(a, "warmup") for a in best), *(Proposal(a, "random") for a in drawn)]
        population = self.population
        found: dict[Architecture, Proposal] = {}
        wanted = count if pending else min(count, self.options.batch)
        for _ in range(wanted):
            child = self._child(population, Known(known, found), rng)
            if child is not None:
                found[child.architecture] = child
        chosen = list(found.values())
        if len(chosen) < wanted:
            missing = wanted - len(chosen)
            chosen += [Proposal(a, "refill") for a in sample_new(self.space, Known(known, found), missing, rng)]
        return chosen

    def _child(
        self, population: list[tuple[Architecture, float]], known: Known, rng: np.random.Generator
    ) -> Proposal | None:
        """A child that is new; ``None`` if ``attempts`` mutations led to known ones only."""
        drawn = self._sample(len(population), rng)
        parent = population[max(drawn, key=lambda index: population[index][1])][0]
        for _ in range(self.options.attempts):
            child = self.space.mutate(parent, rng)
            if child not in known:
                return Proposal(child, "mutation", parent=parent)
        return None

    def _sample(self, size: int, rng: np.random.Generator) -> list[int]:
        if self.options.replacement:
            drawn: list[int] = rng.integers(size, size=self.options.sample).tolist()
        else:
            drawn = rng.permutation(size)[: self.options.sample].tolist()
        return drawn
