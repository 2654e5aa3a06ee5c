"""Rounds of ``nao`` where architectures can be measured at cheaper levels first."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from naopt.latent.beliefs import Belief
from naopt.latent.priors import Promises
from naopt.latent.schedule import scheduled
from naopt.measurement import Measurement
from naopt.problem import Costs, Objective, Problem
from naopt.searchers.base import Known, Proposal
from naopt.searchers.candidates import FEWEST_SCORES, scored
from naopt.searchers.nao_embedding import EmbeddingRounds
from naopt.searchers.nao_settings import NAOSettings
from naopt.spaces import Architecture, SearchSpace

if TYPE_CHECKING:
    from numpy.typing import NDArray

_GROWTH = 1.2
_FEWEST = 8
"""Scores at a level before anything is believed because of it."""

_EXPECTED, _APART = "cheaper levels", "own cheaper measurement"

Told = Sequence[tuple[Architecture, Measurement]]
Scores = Mapping[Architecture, float | None]


class FidelityRounds:
    """Beliefs of the cheaper levels, each a prior of the next, and rounds in which the best go on by one level.

    A process is fitted to what was measured at each level below the full one. What it expects, and what an
    architecture's own measurement adds, is prior knowledge of the one above (``Belief``, ``Priors``), so that the
    weights say what a level is worth. Candidates are judged by the expected improvement of the full level, whatever
    they were measured at; the one that promises most is measured at the next level above its own. So nothing is
    measured in full that its cheaper measurements speak against. Where the cheaper levels have cost more than the full
    one, only what was measured at one of them is a candidate.

    Args:
        space: where to search.
        options: settings of ``nao``.
        seeds: from how many of the best ascents start.
        seed: of the search.
        problem: what is wanted, with its fidelity.
        objectives: the metric of each level.
    """

    def __init__(
        self,
        space: SearchSpace,
        options: NAOSettings,
        seeds: int,
        seed: int,
        problem: Problem,
        objectives: Sequence[Objective],
    ) -> None:
        self._space, self._problem, self._objectives = space, problem, objectives
        self._below = _Below(problem.priors)
        self._rounds = EmbeddingRounds(space, options, seeds, seed, replace(problem, priors=self._below))
        self._parameters: dict[int, NDArray[np.float64]] = {}

    def belief(self, told_at: Sequence[Scores]) -> Belief | None:
        """What the levels below the full one say together; ``None`` while that is nothing."""
        below: Belief | None = None
        for level, told in enumerate(told_at[:-1]):
            scores = {architecture: score for architecture, score in told.items() if score is not None}
            if len(scores) < _FEWEST or len(set(scores.values())) < FEWEST_SCORES:
                continue
            name = self._objectives[level].metric
            parameters = self._cheapest(name, scores) if below is None else None
            below = self._fit(name, scores, parameters, below)
        return below

    def _fit(
        self,
        name: str,
        scores: Mapping[Architecture, float],
        parameters: NDArray[np.float64] | None = None,
        below: Belief | None = None,
    ) -> Belief:
        # Targets like those of the full level: what is told is the same metric, if at another stage.
        return Belief.fit(
            name,
            self._space,
            scores,
            normalisation="yeo-johnson",
            parameters=parameters,
            embedding=self._rounds.model.pretrained.embedding,
            below=below,
        )

    def _cheapest(self, name: str, scores: Mapping[Architecture, float]) -> NDArray[np.float64] | None:
        """Parameters of the process of the cheapest level: those of a first part of its scores, by a schedule."""
        count = scheduled(len(scores), _GROWTH)
        if count not in self._parameters:
            first = dict(list(scores.items())[:count])
            if len(set(first.values())) < FEWEST_SCORES:
                return None
            self._parameters = {count: self._fit(name, first).parameters}
        return self._parameters[count]

    def propose(
        self,
        history: Told,
        told_at: Sequence[Scores],
        known: Known,
        pending: Sequence[Architecture],
        wanted: int,
        rng: np.random.Generator,
    ) -> tuple[list[Proposal], dict[str, Any]]:
        """What promises most in full, best first, and a log; nothing while cheaper levels tell too little.

        Args:
            history: what was told, at all levels.
            told_at: scores by level.
            known: what was told at the full level, what failed, what is pending, and what is forbidden.
            pending: the part of it that others are at work on.
            wanted: how many.
            rng: all randomness.
        """
        belief = self.belief(told_at)
        if belief is None:
            return [], {}
        architectures, scores = scored([(a, m) for a, m in history if m.level is None], self._problem.objective)
        begun = [a for a, score in told_at[0].items() if score is not None and a not in known]
        if begun and len(scores) < FEWEST_SCORES:
            order = np.argsort(-belief(begun), kind="stable")
            return [Proposal(begun[index], "promotion") for index in order[:wanted]], {}
        if len(scores) < FEWEST_SCORES:
            return [], {}
        rounds = self._rounds
        assert rounds.priors is not None
        self._below.belief = belief
        rounds.priors.forget()
        rounds.learn(history)
        if begun and self._looks_enough(told_at):
            rounds.known = known
            log = rounds.fit(architectures, scores, pending)
            return rounds.choose({a: Proposal(a, "promotion") for a in begun}, wanted), log
        return rounds.propose(architectures, scores, known, pending, wanted, rng)

    def _looks_enough(self, told_at: Sequence[Scores]) -> bool:
        """Whether cheaper levels have cost more than the full one, so that something has to go on."""
        fidelity = self._problem.fidelity
        assert fidelity is not None
        spent = [len(told) * fidelity.step(level, level - 1) for level, told in enumerate(told_at)]
        return sum(spent[:-1]) > spent[-1]


class _Below:
    """What is known beforehand, ``others``, and what the levels below the full one say (``Costs``, ``Promises``).

    Attributes:
        belief: of these levels: what it expects, and what an architecture's own measurement adds.
    """

    def __init__(self, others: Costs | None) -> None:
        self._others = others
        self.belief: Belief | None = None

    @property
    def metrics(self) -> Collection[str]:
        return [_EXPECTED, _APART, *(() if self._others is None else self._others.metrics)]

    def of(self, architectures: Sequence[Architecture]) -> Mapping[str, NDArray[np.float64]]:
        assert self.belief is not None
        others: Mapping[str, NDArray[np.float64]] = {} if self._others is None else self._others.of(architectures)
        return {**others, _EXPECTED: self.belief(architectures), _APART: self.belief.apart(architectures)}

    @property
    def promising(self) -> Mapping[str, Sequence[Architecture]]:
        own = {_EXPECTED: () if self.belief is None else self.belief.promising, _APART: ()}
        return {**self._others.promising, **own} if isinstance(self._others, Promises) else own
