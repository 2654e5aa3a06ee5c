"""Local search: climb to a local optimum, start anew (White et al. 2021)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from naopt.configuration import Settings
from naopt.measurement import Measurement
from naopt.searchers.base import Objective, Proposal, Searcher, sample_new, searchers
from naopt.spaces import Architecture, SearchSpace

_ORDER = 1
"""Purpose of the generator that puts neighbours in order."""


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

    What the search stands at follows from the history alone: every ``tell`` takes it one step further.
    """

    settings_type = LocalSearchSettings

    def __init__(
        self, space: SearchSpace, objective: Objective, settings: LocalSearchSettings, *, seed: int, budget: int
    ) -> None:
        super().__init__(space, objective, settings, seed=seed, budget=budget)
        self.options = settings
        self.current: Architecture | None = None
        """From where it climbs; ``None`` while random architectures are drawn."""
        self._scores: dict[Architecture, float] = {}
        self.climbs: list[list[Architecture]] = []
        """Where each climb stood, in order; every climb but the last ended at a local optimum of what has a score."""
        self._climbed: set[Architecture] = set()
        self._neighbours: list[Architecture] = []
        self._open: dict[Architecture, None] = {}
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
            if was_open and score is not None and score > self._scores[self.current] and self._moves_at_once:
                self._stand(architecture)
        self._settle()

    @property
    def _moves_at_once(self) -> bool:
        return self.options.variant != "query-all"

    def ask(self, count: int) -> list[Proposal]:
        """The rest of the random draws, or the next neighbours of where the search stands."""
        if self.current is None:
            missing = max(1, self._draws - len(self._drawn))
            return [
                Proposal(a, "random") for a in sample_new(self.space, self.seen, min(count, missing), self.generator())
            ]
        wanted = min(count, self.options.batch) if self._moves_at_once else count
        return [Proposal(a, "neighbour", parent=self.current) for a in list(self._open)[:wanted]]

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
