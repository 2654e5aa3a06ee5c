"""Hierarchical evolution (Liu et al. 2018), read for any space: choices, units and parts are its levels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from naopt.configuration import PresetSettings
from naopt.measurement import Measurement
from naopt.problem import Objective, Problem
from naopt.searchers.base import Known, Proposal, Searcher, sample_new, searchers
from naopt.spaces import Architecture, SearchSpace

_MOST_INITIAL = 200
_FEWEST_DRAWN = 2


class HierarchicalSettings(PresetSettings):
    """Settings of hierarchical evolution."""

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "default": {},
        "liu2018": {"initial": 200, "initial_mutations": 1000},
    }

    preset: Literal["default", "liu2018"] = "default"
    initial: int | None = Field(None, ge=1)
    """Architectures before the first tournament; a fifth of the budget if null, 200 at most."""
    initial_mutations: int = Field(100, ge=0)
    """Random mutations that make each of the initial architectures from one and the same (1,000 in the paper)."""
    tournament: float = Field(0.05, gt=0, le=1)
    """Share of the population that is drawn, two at least; the best of these is mutated."""
    copy_share: float = Field(0.5, ge=0, le=1)
    """How often a unit or a part is replaced by a copy of another one of this architecture; else it is drawn anew."""
    attempts: int = Field(50, ge=1)
    """Mutations that are tried for a child that was not measured before; then a random architecture takes its place."""
    batch: int = Field(1, ge=1)
    """Children of one round; more than 1 keeps several workers busy."""


@dataclass(frozen=True, slots=True)
class Level:
    """Blocks of neighbouring positions that a mutation replaces as one.

    Attributes:
        size: positions of a block.
        starts: the first position of each block.
    """

    size: int
    starts: tuple[int, ...]


def levels(space: SearchSpace) -> list[Level]:
    """The levels of a space, the finest first.

    Single positions; units of ``tokens_per_step`` positions (a branch, a node); and parts (cells): runs of positions
    whose names begin alike (``normal/...``), if there are several and all are equally long. A level that equals the
    one below is left out.
    """
    count = len(space.positions)
    heads = [position.name.partition("/")[0] for position in space.positions]
    starts = [0, *(index for index in range(1, count) if heads[index] != heads[index - 1])]
    sizes = {stop - start for start, stop in zip(starts, [*starts[1:], count], strict=True)}
    lengths = [1, space.tokens_per_step]
    if len(sizes) == 1 and len(starts) > 1:
        lengths += sizes
    return [Level(size, tuple(range(0, count, size))) for size in sorted(set(lengths)) if size < count or count == 1]


def completed(space: SearchSpace, wanted: Sequence[int | None], rng: np.random.Generator) -> tuple[int, ...]:
    """A valid sequence that keeps the wanted tokens wherever what stands before allows it.

    Position by position: the wanted token if it is valid there, else a uniform draw among those that are.
    """
    tokens: list[int] = []
    for token in wanted:
        valid = space.choices(tokens)
        tokens.append(token if token in valid else valid[int(rng.integers(len(valid)))])
    return tuple(tokens)


@searchers.register("hierarchical")
class HierarchicalSearcher(Searcher):
    """Hierarchical evolution: mutation at a random level, tournaments of 5 % of the population, and nobody dies.

    Liu, Simonyan, Vinyals, Fernando, Kavukcuoglu 2018, "Hierarchical representations for efficient architecture
    search", section 3. The paper evolves a genotype of its own: motifs of three levels, each a small graph whose edges
    are motifs of the level below. This is our reading for spaces whose genotype is a row of tokens: see ``levels``. A
    mutation picks a level; then it changes one choice, or replaces one unit, or one part, by a copy of another that
    stands elsewhere in the architecture (in the paper a motif that occurs several times), or by one drawn anew.
    """

    settings_type = HierarchicalSettings

    def __init__(
        self,
        space: SearchSpace,
        problem: Problem | Objective,
        settings: HierarchicalSettings,
        *,
        seed: int,
        budget: int,
    ) -> None:
        super().__init__(space, problem, settings, seed=seed, budget=budget)
        self.options = settings
        self.initial = settings.initial or max(1, min(_MOST_INITIAL, round(0.2 * budget)))
        self.levels = levels(space)
        self.population: list[tuple[Architecture, float]] = []
        """All architectures that have a score, in the order in which they were told."""

    def tell(self, architecture: Architecture, measurement: Measurement) -> None:
        """Takes note of one measurement; one with a score joins the population."""
        super().tell(architecture, measurement)
        score = self.objective.score(measurement)
        if score is not None:
            self.population.append((architecture, score))

    @property
    def round_size(self) -> int:
        """The setting ``batch``."""
        return self.options.batch

    def ask(self, count: int, pending: Sequence[Architecture] = ()) -> list[Proposal]:
        """The rest of the initial population, or ``batch`` children; with something pending, ``count``.

        What is pending counts as initial, and is no parent: tournaments are among what is measured, as in the paper,
        whose workers each mutate and measure on their own.
        """
        rng, known = self.generator(pending=pending), Known(self.seen, pending)
        missing = self.initial - len(self.history) - len(pending)
        is_initial = missing > 0 or not self.population
        wanted = min(count, missing) if missing > 0 else count if pending else min(count, self.options.batch)
        found: dict[Architecture, Proposal] = {}
        for _ in range(wanted):
            so_far = Known(known, found)
            proposal = self._diverse(so_far, rng) if is_initial else self._child(so_far, rng)
            if proposal is not None:
                found[proposal.architecture] = proposal
        chosen = list(found.values())
        if len(chosen) < wanted:
            missing = wanted - len(chosen)
            chosen += [Proposal(a, "refill") for a in sample_new(self.space, Known(known, found), missing, rng)]
        return chosen

    def mutated(self, tokens: tuple[int, ...], rng: np.random.Generator) -> tuple[int, ...]:
        """Tokens after one mutation at a random level; where nothing else is valid they may be the same."""
        level = self.levels[int(rng.integers(len(self.levels)))]
        start = level.starts[int(rng.integers(len(level.starts)))]
        wanted: list[int | None] = list(tokens)
        sources = [] if level.size == 1 else self._sources(tokens, level, start)
        if sources and rng.random() < self.options.copy_share:
            source = sources[int(rng.integers(len(sources)))]
            wanted[start : start + level.size] = tokens[source : source + level.size]
        elif level.size == 1:
            others = [choice for choice in self.space.choices(tokens[:start]) if choice != tokens[start]]
            if others:
                wanted[start] = others[int(rng.integers(len(others)))]
        else:
            wanted[start : start + level.size] = [None] * level.size
        return completed(self.space, wanted, rng)

    def _sources(self, tokens: tuple[int, ...], level: Level, start: int) -> list[int]:
        """Where other blocks stand that fit: positions of the same kinds, and tokens that are valid there."""
        positions, size = self.space.positions, level.size
        kinds = [position.kind for position in positions[start : start + size]]

        def fits(source: int) -> bool:
            block = tokens[source : source + size]
            return (
                block != tokens[start : start + size]
                and [position.kind for position in positions[source : source + size]] == kinds
                and all(block[i] in self.space.choices((*tokens[:start], *block[:i])) for i in range(size))
            )

        return [source for source in level.starts if source != start and fits(source)]

    def _diverse(self, known: Known, rng: np.random.Generator) -> Proposal | None:
        """The seed's first architecture after many mutations."""
        tokens = self.space.sample(np.random.default_rng(self.seed)).tokens
        for _ in range(self.options.initial_mutations):
            tokens = self.mutated(tokens, rng)
        return self._new(tokens, "diversified", None, known)

    def _child(self, known: Known, rng: np.random.Generator) -> Proposal | None:
        """A mutant of a tournament's winner."""
        size = len(self.population)
        drawn = rng.permutation(size)[: max(_FEWEST_DRAWN, round(self.options.tournament * size))].tolist()
        parent = self.population[max(drawn, key=lambda index: self.population[index][1])][0]
        for _ in range(self.options.attempts):
            child = self._new(self.mutated(parent.tokens, rng), "mutation", parent, known)
            if child is not None:
                return child
        return None

    def _new(self, tokens: tuple[int, ...], origin: str, parent: Architecture | None, known: Known) -> Proposal | None:
        architecture = self.space.architecture(tokens)
        return None if architecture in known else Proposal(architecture, origin, None, parent)
