"""Local search: climb to a local optimum, start anew (White et al. 2021)."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import Field

from naopt.configuration import Settings
from naopt.measurement import Measurement
from naopt.problem import Objective, Problem
from naopt.searchers.base import Known, Proposal, Searcher, sample_new, searchers
from naopt.spaces import Architecture, SearchSpace

_ORDER = 1
"""Purpose of the generator that puts neighbours in order."""

_ELSEWHERE = 100
"""Of how many of the best architectures neighbours are measured while results are awaited."""


class LocalSearchSettings(Settings):
    """Settings of local search."""

    variant: Literal["query-until-lower", "query-all", "continue-at-min"] = "query-until-lower"
    """Move to the first neighbour that is better; or measure all neighbours and move to the best; or the first again,
    and at a local optimum go on from the best architecture that was not yet climbed from, instead of a random one."""
    initial: int = Field(1, ge=1)
    """Random architectures, the best of which is where the first climb starts; 1 in the paper, 10 in its program."""
    restart: int = Field(1, ge=1)
    """Random architectures at a local optimum, the best of which is where the next climb starts."""
    batch: int = Field(1, ge=1)
    """Neighbours of one round; more than 1 keeps several workers busy and may measure some in vain. With
    ``query-all`` a round is the whole neighbourhood."""


@searchers.register("local-search")
class LocalSearcher(Searcher):
    """Local search: neighbours in random order, a move as soon as one is better, a random restart at a local optimum.

    White, Nolen, Savani 2021, "Exploring the loss landscape in neural architecture search" (first called "Local search
    is state of the art for NAS benchmarks"), Algorithm 1 and its variants. Departures: a neighbour that was measured
    before costs no query, and if it is better the search moves there before it measures another; a failed measurement
    is worse than any score.

    What is better than where the search stands, and no neighbour of any place where it stood (from an earlier search,
    say), is where the next climb starts. What the search stands at follows from the history alone: every ``tell``
    takes it one step further.
    """

    settings_type = LocalSearchSettings

    def __init__(
        self, space: SearchSpace, problem: Problem | Objective, settings: LocalSearchSettings, *, seed: int, budget: int
    ) -> None:
        super().__init__(space, problem, settings, seed=seed, budget=budget)
        self.options = settings
        self.current: Architecture | None = None
        """From where it climbs; ``None`` while random architectures are drawn."""
        self._scores: dict[Architecture, float] = {}
        self.climbs: list[list[Architecture]] = []
        """Where each climb stood, in order; every climb but the last ended at a local optimum of what has a score."""
        self._climbed: set[Architecture] = set()
        self._neighbours: list[Architecture] = []
        self._open: dict[Architecture, None] = {}
        self._offered: set[Architecture] = set()
        """All neighbours of where it ever stood; what is told besides these comes from elsewhere."""
        self._drawn: list[Architecture] = []
        self._draws = settings.initial

    def tell(self, architecture: Architecture, measurement: Measurement) -> None:
        """Takes note of one measurement, and moves if it calls for a move."""
        super().tell(architecture, measurement)
        score = self.objective.score(measurement)
        if score is not None:
            self._scores[architecture] = score
        if self.current is None:
            self._drawn.append(architecture)
            known = [a for a in self._drawn if a in self._scores]
            if len(self._drawn) >= self._draws and known:
                self._start(max(known, key=self._scores.__getitem__))
        else:
            was_open = architecture in self._open
            self._open.pop(architecture, None)
            if score is not None and score > self._scores[self.current]:
                if was_open and self._moves_at_once:
                    self._stand(architecture)
                elif architecture not in self._offered:
                    self._start(architecture)
        self._settle()

    @property
    def _moves_at_once(self) -> bool:
        return self.options.variant != "query-all"

    @property
    def round_size(self) -> int:
        """The setting ``batch``; with ``query-all`` the largest neighbourhood there may be."""
        if self._moves_at_once:
            return self.options.batch
        return max(1, sum(len(position.choices) - 1 for position in self.space.positions))

    def ask(self, count: int, pending: Sequence[Architecture] = ()) -> list[Proposal]:
        """The rest of the random draws, or the next neighbours of where the search stands.

        With something pending, ``count``: where these are too few, neighbours of the best architectures elsewhere, and
        at last random ones. The search moves to one of these that turns out better than where it stands.
        """
        rng, known = self.generator(pending=pending), Known(self.seen, pending)
        if self.current is None:
            out = sum(architecture not in self._offered for architecture in pending)
            missing = max(0 if out else 1, self._draws - len(self._drawn) - out)
            chosen = [Proposal(a, "random") for a in sample_new(self.space, known, min(count, missing), rng)]
        else:
            wanted = count if pending or not self._moves_at_once else min(count, self.options.batch)
            new = [architecture for architecture in self._open if architecture not in known]
            chosen = [Proposal(a, "neighbour", parent=self.current) for a in new[:wanted]]
        return [*chosen, *self._elsewhere(chosen, count - len(chosen), known, rng)] if pending else chosen

    def _elsewhere(self, chosen: list[Proposal], count: int, known: Known, rng: np.random.Generator) -> list[Proposal]:
        """As many proposals besides those that were chosen: neighbours of the best architectures, then random ones."""
        found: dict[Architecture, Proposal] = {proposal.architecture: proposal for proposal in chosen}
        count += len(chosen)
        best = heapq.nlargest(_ELSEWHERE, self._scores, key=self._scores.__getitem__) if count > len(found) else []
        for parent in best:
            neighbours = [a for a in self.space.neighbours(parent) if a not in known and a not in found]
            for index in rng.permutation(len(neighbours))[: count - len(found)].tolist():
                found[neighbours[index]] = Proposal(neighbours[index], "neighbour", parent=parent)
            if len(found) == count:
                break
        missing = count - len(found)
        drawn = [Proposal(a, "random") for a in sample_new(self.space, Known(known, found), missing, rng)]
        return [*list(found.values())[len(chosen) :], *drawn]

    def _start(self, architecture: Architecture) -> None:
        """A new climb."""
        self.climbs.append([])
        self._stand(architecture)

    def _stand(self, architecture: Architecture) -> None:
        """Climbs from there: what is unknown of its neighbourhood is open."""
        self.current = architecture
        self.climbs[-1].append(architecture)
        self._climbed.add(architecture)
        neighbours = list(self.space.neighbours(architecture))
        order = self.generator(_ORDER).permutation(len(neighbours)).tolist()
        self._neighbours = [neighbours[index] for index in order]
        self._offered.update(neighbours)
        self._open = {a: None for a in self._neighbours if a not in self.seen}

    def _settle(self) -> None:
        """Moves on as long as what is known suffices for it."""
        while self.current is not None:
            if self._open and not self._moves_at_once:
                return
            better = self._known_better(self.current)
            if better is not None:
                self._stand(better)
            elif self._open:
                return
            else:
                self._leave()

    def _known_better(self, current: Architecture) -> Architecture | None:
        """The best neighbour that is known to be better; ``continue-at-min`` climbs from none twice."""
        again = self.options.variant != "continue-at-min"
        known = [a for a in self._neighbours if a in self._scores and (again or a not in self._climbed)]
        best = max(known, key=self._scores.__getitem__, default=None)
        return best if best is not None and self._scores[best] > self._scores[current] else None

    def _leave(self) -> None:
        """At a local optimum: the next start."""
        if self.options.variant == "continue-at-min":
            left = [a for a in self._scores if a not in self._climbed]
            if left:
                self._start(max(left, key=self._scores.__getitem__))
                return
        self.current, self._drawn, self._draws = None, [], self.options.restart
