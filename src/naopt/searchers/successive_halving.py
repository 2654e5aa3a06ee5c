"""Successive halving: many architectures at the cheapest level, the best of them at the next one, and so on."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field

from pydantic import Field

from naopt.configuration import Settings
from naopt.measurement import Measurement
from naopt.problem import Objective, Problem
from naopt.searchers.base import Proposal, searchers
from naopt.searchers.multi_fidelity import MultiFidelitySearcher
from naopt.spaces import Architecture, SearchSpace


class HalvingSettings(Settings):
    """What the searchers that halve have in common."""

    eta: float | None = Field(None, gt=1)
    """One in so many goes on to the next level; by default as many as that level costs more, so that each rung costs
    the same."""


class SuccessiveHalvingSettings(HalvingSettings):
    """Settings of successive halving."""

    initial: int | None = Field(None, ge=1)
    """Architectures at the cheapest level; by default so many that the whole budget is spent on one bracket."""


@dataclass(slots=True)
class Rung:
    """Where a bracket stands.

    Attributes:
        bracket: its number, from 0.
        level: of this rung.
        size: how many are to be measured.
        members: what was promoted to it; ``None`` for new architectures.
        told: what was measured of them, in order.
    """

    bracket: int
    level: int
    size: int
    members: list[Architecture] | None = None
    told: list[Architecture] = field(default_factory=list)


class BracketSearcher(MultiFidelitySearcher):
    """Brackets, one after the other; each a sequence of rungs, whose best go on to the next one.

    Where a search stands follows from what was told: each measurement at the level of the current rung that belongs to
    it fills a place. What failed is not promoted. A rung that finds no new architecture ends early. While the last ones
    of a rung are pending, whoever is free begins the next bracket.
    """

    needs_fidelity = True
    learns = False  # new architectures are random; what is told decides which go on

    def __init__(
        self, space: SearchSpace, problem: Problem | Objective, settings: HalvingSettings, *, seed: int, budget: int
    ) -> None:
        super().__init__(space, problem, settings, seed=seed, budget=budget)
        self.eta = settings.eta
        self._ahead: list[tuple[int, Architecture]] = []
        self._rung = self._first(0)

    @abstractmethod
    def sizes(self, bracket: int) -> list[tuple[int, int]]:
        """Level and number of architectures of each rung of a bracket."""

    def kept(self, low: int, high: int) -> float:
        """Which share of a rung at a level gets to another one."""
        return self.costs[low] / self.costs[high] if self.eta is None else self.eta ** (low - high)

    def new(self, count: int, level: int, pending: Sequence[Architecture]) -> list[Proposal]:
        """Up to ``count`` architectures that are neither told nor pending, for the first rung of a bracket."""
        return [self.proposal(architecture, level, "random") for architecture in self.drawn(count, pending)]

    @property
    def round_size(self) -> int:
        """The first rung of the first bracket."""
        return self.sizes(0)[0][1]

    def tell(self, architecture: Architecture, measurement: Measurement) -> None:
        """See ``Searcher``."""
        before = self.reached(architecture)
        super().tell(architecture, measurement)
        level = self.full if measurement.level is None else measurement.level
        rung = self._rung
        if rung.level < level and architecture in rung.told:
            rung = self._rung = self._next(rung)  # nothing new was found for the rung before
        mine = before < 0 if rung.members is None else architecture in rung.members
        if level == rung.level and mine:
            rung.told.append(architecture)
            if len(rung.told) == rung.size:
                self._rung = self._next(rung)
        elif before < 0:
            self._ahead.append((level, architecture))

    def ask(
        self,
        count: int,
        pending: Sequence[Architecture] = (),
        levels: Sequence[int] = (),  # noqa: ARG002
    ) -> list[Proposal]:
        """The rest of the rung; with others pending, then new architectures of the next bracket."""
        found = self._of_rung(count, pending)
        if pending and len(found) < count:
            level = self.sizes(self._rung.bracket + 1)[0][0]
            out = [*pending, *(proposal.architecture for proposal in found)]
            found = [*found, *self.new(count - len(found), level, out)]
        return found

    def _of_rung(self, count: int, pending: Sequence[Architecture]) -> list[Proposal]:
        rung = self._rung
        while True:
            missing = min(count, rung.size - len(rung.told) - len(pending))
            if rung.members is not None:
                left = [a for a in rung.members if a not in rung.told and a not in pending]
                return [self.proposal(architecture, rung.level, "promotion") for architecture in left[:count]]
            found = self.new(missing, rung.level, pending) if missing > 0 else []
            if found or pending or not rung.told:
                return found
            ahead = list(self._ahead)
            rung = self._next(rung)
            self._ahead = ahead  # asking changes nothing

    def _first(self, bracket: int) -> Rung:
        """The first rung of a bracket, with what was begun of it before."""
        level, size = self.sizes(bracket)[0]
        told = [architecture for begun, architecture in self._ahead if begun == level][:size]
        self._ahead = [(begun, architecture) for begun, architecture in self._ahead if architecture not in told]
        rung = Rung(bracket, level, size, told=told)
        return rung if len(told) < size else self._next(rung)

    def _next(self, rung: Rung) -> Rung:
        """The rung after one; the first of the next bracket where nothing can go on."""
        for level, size in self.sizes(rung.bracket):
            if level > rung.level:
                members = self.promotable(rung.level, size, rung.told)
                if members:
                    return Rung(rung.bracket, level, len(members), members)
                break
        return self._first(rung.bracket + 1)


@searchers.register("successive-halving")
class SuccessiveHalvingSearcher(BracketSearcher):
    """Successive halving (Jamieson & Talwalkar 2016): one bracket of the whole budget, from the cheapest level."""

    settings_type = SuccessiveHalvingSettings

    def __init__(
        self,
        space: SearchSpace,
        problem: Problem | Objective,
        settings: SuccessiveHalvingSettings,
        *,
        seed: int,
        budget: int,
    ) -> None:
        self.initial = settings.initial
        super().__init__(space, problem, settings, seed=seed, budget=budget)

    def sizes(self, bracket: int) -> list[tuple[int, int]]:  # noqa: ARG002
        """Of every bracket the same; a second one begins where the first leaves something of the budget."""
        steps = [cost - before for cost, before in zip(self.costs, (0.0, *self.costs), strict=False)]
        each = sum(step * self.kept(0, level) for level, step in enumerate(steps))
        first = self.initial or max(1, math.floor(self.budget / each + 1e-9))
        return [(level, max(1, math.floor(first * self.kept(0, level) + 1e-9))) for level in range(len(self.costs))]
