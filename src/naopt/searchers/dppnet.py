"""DPP-Net (Dong et al. 2018): progressive growth that keeps the front of several objectives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from naopt.configuration import Settings
from naopt.problem import Objective, Problem
from naopt.searchers.base import Known, Proposal, Searcher, searchers
from naopt.searchers.candidates import FEWEST_SCORES
from naopt.searchers.feasible import Feasible, Unlikely, sample_likely
from naopt.searchers.growth import Grown, Growth
from naopt.searchers.trade_offs import by_fronts
from naopt.spaces import Architecture, SearchSpace

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from naopt.latent.recurrent_surrogate import RecurrentSurrogate
    from naopt.latent.targets import Targets

_OF_FIT = 0x647070
"""Sets the randomness of a fit apart: it depends on nothing but the seed and how much is learned from."""


class DPPNetSettings(Settings):
    """Settings of progressive growth along a front; the surrogate is ours."""

    beam: int | None = Field(None, ge=1)
    """K: architectures that are measured at each size, and from which the next size grows."""
    beam_share: float = Field(0.05, gt=0, le=1)
    """The same as a share of the budget; no more than lets every size have its turn."""
    expansions: int = Field(5_000, ge=1)
    """Most expansions that are scored at one size; beyond, a random part of them is."""
    hidden_size: int = Field(32, ge=1)
    """Width of the surrogate's LSTM and of its embeddings."""
    epochs: int = Field(50, ge=1)
    """Passes over the measured architectures in one fit."""
    batch_size: int = Field(32, ge=1)
    """Architectures of one step."""
    learning_rate: float = Field(0.01, gt=0)
    """Of Adam."""


@searchers.register("dppnet")
class DPPNetSearcher(Searcher):
    """DPP-Net: grow the measured front by one unit in every way, score that, measure the best front of it.

    Dong, Cheng, Juan, Wei, Sun 2018, "DPP-Net: device-aware progressive search for Pareto-optimal neural
    architectures". A recurrent surrogate, fitted to all that was measured, predicts the objectives that have to be
    measured; those that are known without an evaluation (``Problem.costs``) are taken as they are. Of the scored
    expansions those that come first in non-dominated sorting are measured, of the last front the less crowded ones.

    Sizes are those of ``naopt.searchers.growth``. Departures: the best of smaller sizes may grow too, by their measured
    fronts; and when all sizes had their turn, single units of the best are replaced in every way, scored alike, until
    the budget is spent. What hardly can be measured (``Feasible``) is passed over.

    Asked while others are pending it learns anew after every ``beam`` results; what is pending counts for its size.
    """

    settings_type = DPPNetSettings
    several = True

    def __init__(
        self, space: SearchSpace, problem: Problem | Objective, settings: DPPNetSettings, *, seed: int, budget: int
    ) -> None:
        super().__init__(space, problem, settings, seed=seed, budget=budget)
        self.options = settings
        self.growth = Growth(space)
        self.beam = settings.beam or self.growth.beam(settings.beam_share, budget)
        self.feasible = Feasible(space)
        self._fitted: tuple[int, RecurrentSurrogate | None] = 0, None
        self._log: dict[str, Any] = {}

    @property
    def round_size(self) -> int:
        """The beam."""
        return self.beam

    def round_log(self) -> dict[str, Any]:
        """How many ``expansions`` of which ``size`` were scored, or how many ``replacements``."""
        return self._log

    def ask(self, count: int, pending: Sequence[Architecture] = ()) -> list[Proposal]:
        """The smallest architecture; then what is left of the next size; at last replacements in the best."""
        self._log = {}
        rng, known = self.generator(pending=pending), Known(self.seen, pending)
        if self.growth.smallest not in known:
            return [Proposal(self.growth.smallest, "growth")]
        learned = self._learned_from(pending)
        self.feasible.learn(self.history[:learned])
        ranking = self._ranking()
        sizes = Counter(self.growth.size(architecture) for architecture in known)
        for size in range(1, self.growth.units + 1):
            missing = self.beam - sizes[size]
            if missing > 0:
                smaller = [a for a in ranking if self.growth.size(a) < size][: self.beam] or [self.growth.smallest]
                grown = self._new(self.growth.grown(smaller, size), known, rng)
                if grown:
                    self._log = {"size": size, "expansions": len(grown)}
                    return self._front(grown, min(count, missing), "growth", learned)
        wanted = count if pending else min(count, self.beam)
        near = self._new(self.growth.replaced(ranking[: self.beam]), known, rng)
        self._log = {"replacements": len(near)}
        chosen = self._front(near, wanted, "mutation", learned) if near else []
        if len(chosen) < wanted:
            taken, missing = {proposal.architecture for proposal in chosen}, wanted - len(chosen)
            others = sample_likely(self.space, Known(known, taken), Unlikely(self.feasible), missing, rng)
            chosen += [Proposal(a, "refill") for a in others]
        return chosen

    def _learned_from(self, pending: Sequence[Architecture]) -> int:
        told = len(self.history)
        return told - told % self.beam if pending else told

    def _ranking(self) -> list[Architecture]:
        """What was measured, by fronts."""
        pairs = [(a, scores) for a, m in self.history if (scores := self.problem.scores(m)) is not None]
        points = np.array([scores for _, scores in pairs]).reshape(len(pairs), len(self.problem.objectives))
        return [pairs[index][0] for index in by_fronts(points)]

    def _new(self, found: Iterator[Grown], known: Known, rng: np.random.Generator) -> dict[Architecture, Architecture]:
        return self.growth.new(found, known, self.options.expansions, rng)

    def _front(self, grown: dict[Architecture, Architecture], wanted: int, origin: str, learned: int) -> list[Proposal]:
        """The first of the scored ones that are not unlikely to be measured."""
        candidates = list(grown)
        points = self._points(candidates, learned)
        unlikely = Unlikely(self.feasible)
        order = by_fronts(points) if points.shape[1] else np.arange(len(candidates))
        first = islice((i for i in order.tolist() if candidates[i] not in unlikely), wanted)
        # Growth that nothing can be told of goes on nevertheless.
        chosen = list(first) or order[:wanted].tolist()
        return [Proposal(candidates[i], origin, parent=grown[candidates[i]]) for i in chosen]

    def _points(self, candidates: Sequence[Architecture], learned: int) -> NDArray[np.float64]:
        """What is known or predicted of candidates ``(n, objectives)``, larger is better.

        Objectives that have to be measured are left out as long as nothing can be learned of them.
        """
        costs = self.problem.costs
        names = () if costs is None else costs.metrics
        exact = [objective for objective in self.problem.objectives if objective.metric in names]
        columns = [np.empty((len(candidates), 0))]
        if costs is not None and exact:
            values = costs.of(candidates)
            table = np.stack([objective.sign * values[objective.metric] for objective in exact], axis=1)
            columns.append(np.nan_to_num(table, nan=-np.finfo(np.float64).max))
        surrogate = self._surrogate([o for o in self.problem.objectives if o not in exact], learned)
        if surrogate is not None:
            columns.append(np.nan_to_num(surrogate.predict([self._tokens(a) for a in candidates])))
        return np.concatenate(columns, axis=1)

    def _surrogate(self, objectives: Sequence[Objective], learned: int) -> RecurrentSurrogate | None:
        """Fitted to the first so many measurements, once; ``None`` without enough of them."""
        from naopt.latent.recurrent_surrogate import fit_surrogate
        from naopt.latent.targets import Targets

        pairs = [(a, scores) for a, m in self.history[:learned] if (scores := self.problem.scores(m)) is not None]
        if not objectives or len(pairs) < FEWEST_SCORES:
            return None
        if self._fitted[0] != learned:
            wanted = [self.problem.objectives.index(objective) for objective in objectives]
            table = np.array([scores for _, scores in pairs], dtype=np.float64)[:, wanted]
            targets: list[Targets] = [Targets.fit(column, "rank") for column in table.T]
            y = np.stack([each.transform(column) for each, column in zip(targets, table.T, strict=True)], axis=1)
            options = self.options
            self._fitted = (
                learned,
                fit_surrogate(
                    self.space,
                    [self._tokens(architecture) for architecture, _ in pairs],
                    y,
                    int(np.random.default_rng([self.seed, learned, _OF_FIT]).integers(2**62)),
                    hidden_size=options.hidden_size,
                    epochs=options.epochs,
                    batch_size=options.batch_size,
                    learning_rate=options.learning_rate,
                ),
            )
        return self._fitted[1]

    def _tokens(self, architecture: Architecture) -> tuple[int, ...]:
        return self.space.canonical(architecture.tokens)
