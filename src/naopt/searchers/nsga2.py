"""NSGA-II (Deb et al. 2002): a population that is sorted by fronts, and spread along them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from naopt.configuration import Settings
from naopt.measurement import Measurement
from naopt.metrics.dominance import non_dominated_ranks
from naopt.problem import Objective, Problem
from naopt.searchers.base import Known, Proposal, Searcher, searchers
from naopt.searchers.feasible import Feasible, Unlikely, sample_likely
from naopt.searchers.trade_offs import crowded
from naopt.spaces import Architecture, SearchSpace, Tokens

if TYPE_CHECKING:
    from numpy.typing import NDArray


class NSGA2Settings(Settings):
    """Settings of NSGA-II."""

    population: int = Field(20, ge=2)
    """N: how many survive a generation; so many random ones come first."""
    offspring: int | None = Field(None, ge=1)
    """Children of one generation; as many as the population if not given, as published."""
    crossover: float = Field(0.9, ge=0, le=1)
    """Probability that a child has two parents."""
    swap: float = Field(0.5, ge=0, le=1)
    """Probability that a position of such a child is the second parent's."""
    mutations: float = Field(1.0, ge=0)
    """Mutations of a child, on average: each position has an equal share in them."""
    attempts: int = Field(20, ge=1)
    """Children that are tried for one that was not measured before; then a random architecture takes its place."""


@dataclass(frozen=True, slots=True)
class Member:
    """An architecture that was measured.

    Attributes:
        architecture: which.
        scores: by objective, larger is better.
        violation: by how much it breaks limits on the whole, in shares of these; 0 if it keeps all.
    """

    architecture: Architecture
    scores: tuple[float, ...]
    violation: float


@dataclass(frozen=True, slots=True)
class Population:
    """Members, the best first, with what tournaments compare.

    Attributes:
        members: of the population.
        places: ``(n,)`` front of each, and in it the less crowded first: smaller wins, equals are drawn by lot.
    """

    members: tuple[Member, ...]
    places: tuple[tuple[int, float], ...]

    @classmethod
    def best(cls, members: Sequence[Member], size: int) -> Population:
        """The best of some: by front, the less crowded of the last one."""
        if not members:
            return cls((), ())
        points = np.array([member.scores for member in members], dtype=np.float64)
        ranks = constrained_ranks(points, np.array([member.violation for member in members]))
        distances = crowded(points, ranks)
        order = np.lexsort((-distances, ranks))[:size].tolist()
        places = tuple((int(ranks[index]), -float(distances[index])) for index in order)
        return cls(tuple(members[index] for index in order), places)

    def tournament(self, rng: np.random.Generator) -> Architecture:
        """The better one of two members drawn at random."""
        first, second = rng.integers(len(self.members), size=2).tolist()
        won: Member = self.members[first if self.places[first] <= self.places[second] else second]
        return won.architecture


def constrained_ranks(points: NDArray[np.float64], violations: NDArray[np.float64]) -> NDArray[np.int64]:
    """Fronts ``(n,)`` of points ``(n, k)`` by constrained domination (Deb et al. 2002, section VI).

    What keeps all limits comes before what does not; of the others the one that breaks them less.
    """
    ranks = np.zeros(len(points), dtype=np.int64)
    feasible = violations == 0
    if feasible.any():
        ranks[feasible] = non_dominated_ranks(points[feasible])
    if not feasible.all():
        first = int(ranks[feasible].max()) + 1 if feasible.any() else 0
        ranks[~feasible] = first + np.unique(violations[~feasible], return_inverse=True)[1].reshape(-1)
    return ranks


@searchers.register("nsga2")
class NSGA2Searcher(Searcher):
    """NSGA-II: the best front survives, the less crowded of its parts first; two parents have a child, which mutates.

    Deb, Pratap, Agarwal, Meyarivan 2002, "A fast and elitist multiobjective genetic algorithm: NSGA-II": non-dominated
    sorting, crowding distances, binary tournaments, survival of parents and children together, and constrained
    domination for limits on what is measured. Variables are categories, so crossover is uniform, position by position,
    and a mutation is the space's own (``space.mutate``). Where a choice of a parent's is not valid after what the child
    has, the other parent's is taken, and else a valid one at random.

    A generation is ``offspring`` measurements in the order in which they are told, whoever asked for them. So the
    population follows from the history. Departures: no architecture is measured twice, failed measurements are no
    members, and what hardly can be measured (``Feasible``) is no child. Asked while others are pending it has children
    of the latest whole generation.
    """

    settings_type = NSGA2Settings
    several = True
    limited = True

    def __init__(
        self, space: SearchSpace, problem: Problem | Objective, settings: NSGA2Settings, *, seed: int, budget: int
    ) -> None:
        super().__init__(space, problem, settings, seed=seed, budget=budget)
        self.options = settings
        self.offspring = settings.offspring or settings.population
        self.feasible = Feasible(space)
        self.population = Population((), ())
        self._sorted = 0

    @property
    def round_size(self) -> int:
        """Children of a generation."""
        return self.offspring

    def ask(self, count: int, pending: Sequence[Architecture] = ()) -> list[Proposal]:
        """The rest of a generation: random architectures for the first, then children; with something pending, all."""
        rng, known = self.generator(pending=pending), Known(self.seen, pending)
        self._survive()
        told = len(self.history)
        first = max(0, self.options.population - told - len(pending))
        left = first or self.offspring - (told - self.options.population) % self.offspring
        wanted = count if pending else min(count, left)
        unlikely = Unlikely(self.feasible.learn(self.history))
        if first or not self.population.members:
            return [Proposal(a, "random") for a in sample_likely(self.space, known, unlikely, wanted, rng)]
        found: dict[Architecture, Proposal] = {}
        for _ in range(wanted):
            child = self._child(Known(known, unlikely, found), rng)
            if child is not None:
                found[child.architecture] = child
        chosen = list(found.values())
        if len(chosen) < wanted:
            missing = wanted - len(chosen)
            others = sample_likely(self.space, Known(known, found), unlikely, missing, rng)
            chosen += [Proposal(a, "refill") for a in others]
        return chosen

    def _survive(self) -> None:
        """Takes up every generation that is told as a whole."""
        while True:
            size = self.offspring if self._sorted else self.options.population
            if self._sorted + size > len(self.history):
                return
            told = self.history[self._sorted : self._sorted + size]
            new = [member for a, m in told if (member := self._member(a, m)) is not None]
            self.population = Population.best([*self.population.members, *new], self.options.population)
            self._sorted += size

    def _member(self, architecture: Architecture, measurement: Measurement) -> Member | None:
        scores = [objective.score(measurement) for objective in self.problem.objectives]
        known = [score for score in scores if score is not None]
        if len(known) < len(scores) or any(limit.metric not in measurement.metrics for limit in self.problem.limits):
            return None
        excess = (
            limit.excess(measurement.metrics[limit.metric]) / (abs(limit.value) or 1.0) for limit in self.problem.limits
        )
        return Member(architecture, tuple(known), sum(excess))

    def _child(self, known: Known, rng: np.random.Generator) -> Proposal | None:
        """A child that is new; ``None`` if ``attempts`` ones were not."""
        chance = min(1.0, self.options.mutations / len(self.space.positions))
        for _ in range(self.options.attempts):
            parent, other = self.population.tournament(rng), self.population.tournament(rng)
            child = parent
            if rng.random() < self.options.crossover:
                child = self.space.architecture(
                    crossed(self.space, parent.tokens, other.tokens, self.options.swap, rng)
                )
            for _ in range(int(rng.binomial(len(self.space.positions), chance))):
                child = self.space.mutate(child, rng)
            if child not in known:
                return Proposal(child, "child", parent=parent)
        return None


def crossed(space: SearchSpace, first: Tokens, second: Tokens, swap: float, rng: np.random.Generator) -> Tokens:
    """A valid mixture of two sequences: each position the second's with probability ``swap``, where that is valid."""
    tokens: Tokens = ()
    for index, swapped in enumerate((rng.random(len(first)) < swap).tolist()):
        valid = space.choices(tokens)
        wanted = (second[index], first[index]) if swapped else (first[index], second[index])
        choice = next((token for token in wanted if token in valid), None)
        tokens = (*tokens, valid[int(rng.integers(len(valid)))] if choice is None else choice)
    return tokens
