"""Searchers that say at which level of fidelity an architecture is to be measured."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from naopt.configuration import Settings
from naopt.errors import InputError
from naopt.measurement import Measurement
from naopt.problem import Objective, Problem
from naopt.searchers.base import Known, Proposal, Searcher, sample_new
from naopt.spaces import Architecture, SearchSpace


class MultiFidelitySearcher(Searcher):
    """Proposes architectures at levels of ``Problem.fidelity``; see ``Searcher``, with these differences.

    An architecture may be proposed again, at a higher level than those at which it was told, and never while it is
    pending. What is told says at which level it was measured (``Measurement.level``); below the full one it has the
    level's metric in place of the objective. ``budget`` is in full evaluations. Where nothing has levels the full
    evaluation is the only one.
    """

    needs_fidelity: ClassVar[bool] = False
    """Whether it is of use only where there are levels; a search without refuses."""

    def __init__(
        self, space: SearchSpace, problem: Problem | Objective, settings: Settings, *, seed: int, budget: int
    ) -> None:
        super().__init__(space, problem, settings, seed=seed, budget=budget)
        fidelity = self.problem.fidelity
        self.costs = (1.0,) if fidelity is None else fidelity.costs
        metrics = (self.objective.metric,) if fidelity is None else fidelity.metrics
        self.objectives = tuple(Objective(metric, self.objective.goal) for metric in metrics)
        self.told_at: list[dict[Architecture, float | None]] = [{} for _ in metrics]
        """By level, what was told there: scores, larger is better; ``None`` for what failed."""

    @classmethod
    def check(cls, problem: Problem, settings: Settings) -> None:  # noqa: ARG003
        """Raises ``InputError`` where levels are needed, and there are none."""
        if cls.needs_fidelity and problem.fidelity is None:
            raise InputError("fidelities", "none", "this searcher needs them: give --fidelities")

    @abstractmethod
    def ask(self, count: int, pending: Sequence[Architecture] = (), levels: Sequence[int] = ()) -> Sequence[Proposal]:
        """See ``Searcher``.

        Args:
            count: how many can be measured, if they cost least.
            pending: what was proposed and is not told yet.
            levels: at which each of these is to be measured.
        """

    def tell(self, architecture: Architecture, measurement: Measurement) -> None:
        """See ``Searcher``."""
        super().tell(architecture, measurement)
        level = self.full if measurement.level is None else measurement.level
        self.told_at[level][architecture] = self.objectives[level].score(measurement)

    @property
    def full(self) -> int:
        """The last level."""
        return len(self.costs) - 1

    def proposal(self, architecture: Architecture, level: int, origin: str) -> Proposal:
        """A proposal at a level."""
        return Proposal(architecture, origin, level=None if level == self.full else level)

    def reached(self, architecture: Architecture) -> int:
        """The highest level at which an architecture was told; -1 for none."""
        return next((level for level in range(self.full, -1, -1) if architecture in self.told_at[level]), -1)

    def promotable(self, level: int, count: int, among: Sequence[Architecture] | None = None) -> list[Architecture]:
        """The best ``count`` that were measured at a level, best first; what failed is none of them.

        Of equal scores the one that was told first is better. ``among`` are those that are meant; all by default.
        """
        told = self.told_at[level]
        scores = {a: s for a in (told if among is None else among) if (s := told.get(a)) is not None}
        return sorted(scores, key=lambda a: -scores[a])[:count]

    def drawn(self, count: int, pending: Sequence[Architecture]) -> list[Architecture]:
        """Up to ``count`` random architectures that are neither told at any level nor pending."""
        return sample_new(self.space, Known(self.seen, pending), count, self.generator(pending=pending))
