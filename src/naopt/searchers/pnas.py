"""Progressive growth in the manner of PNAS (Liu et al. 2018): small architectures first, a surrogate ranks the next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from naopt.configuration import PresetSettings
from naopt.problem import Objective, Problem
from naopt.searchers.base import Proposal, searchers
from naopt.searchers.candidates import Mutants, best_first, scored
from naopt.searchers.ensemble import EnsembleSearcher
from naopt.searchers.growth import Grown, Growth
from naopt.searchers.predictor import Prediction, Turn
from naopt.spaces import Architecture, SearchSpace

if TYPE_CHECKING:
    from numpy.typing import NDArray


class PNASSettings(PresetSettings):
    """Settings of progressive growth; ``preset=published`` has the beam of the paper, the surrogate is ours."""

    presets: ClassVar[dict[str, dict[str, Any]]] = {"default": {}, "published": {"beam": 256}}

    preset: Literal["default", "published"] = "default"
    beam: int | None = Field(None, ge=1)
    """K: architectures that are measured at each size, and from the best of which the next size grows (published:
    256)."""
    beam_share: float = Field(0.1, gt=0, le=1)
    """The same as a share of the budget; no more than lets every size have its turn."""
    expansions: int = Field(20_000, ge=1)
    """Most expansions that are ranked at one size; beyond, a random part of them is."""
    members: int = Field(5, ge=1)
    """Perceptrons of the surrogate, whose mean ranks (published: 5)."""
    layers: int = Field(2, ge=1)
    """Hidden layers of each."""
    width: int = Field(64, ge=1)
    """Units of each hidden layer."""
    epochs: int = Field(100, ge=1)
    """Passes over the measured architectures in one fit."""
    batch_size: int = Field(32, ge=1)
    """Architectures of one step."""
    learning_rate: float = Field(0.005, gt=0)
    """Of Adam."""
    loss: Literal["mae", "mse"] = "mae"
    """Absolute or squared error."""
    normalisation: Literal["rank", "standard"] = "rank"
    """Targets: normal scores of the ranks, or zero mean and unit variance."""


@searchers.register("pnas")
class PNASSearcher(EnsembleSearcher):
    """Progressive growth: measure the smallest, expand the best by one unit in every way, let a surrogate rank these.

    Liu, Zoph, Neumann, Shlens, Hua, Li, Fei-Fei, Yuille, Huang, Murphy 2018, "Progressive neural architecture search",
    Algorithm 1, with the ensemble of 5 perceptrons as the surrogate.

    Sizes are those of ``naopt.searchers.growth``: every small architecture is a whole one, and the surrogate reads it
    as one-hot tokens.

    Departures: growth goes unit by unit (blocks of the paper have two branches), and the best of a smaller size stay
    in the beam. When all sizes had their turn, single units of the best are replaced in every way, ranked alike, until
    the budget is spent.
    """

    settings_type = PNASSettings
    counted = "replacements"

    def __init__(
        self, space: SearchSpace, problem: Problem | Objective, settings: PNASSettings, *, seed: int, budget: int
    ) -> None:
        self.growth = Growth(space)
        self.units = self.growth.units
        beam = settings.beam or self.growth.beam(settings.beam_share, budget)
        super().__init__(
            space,
            problem,
            settings,
            seed=seed,
            budget=budget,
            initial=0,
            batch=beam,
            normalisation=settings.normalisation,
        )
        self.options, self.beam = settings, beam

    def ask(self, count: int, pending: Sequence[Architecture] = ()) -> list[Proposal]:
        """The smallest architecture; then what is left of the next size; at last replacements in the best.

        What is pending counts for its size, so a size whose architectures are all out does not keep the next waiting.
        """
        self.log = {}
        turn = self.turn(count, pending)
        if self.smallest not in turn.known:
            return [Proposal(self.smallest, "growth")]
        ranking = best_first(*scored(self.history, self.objective))
        sizes = Counter(self.size(architecture) for architecture in turn.known)
        for size in range(1, self.units + 1):
            missing = self.beam - sizes[size]
            if missing > 0:
                smaller = [a for a in ranking if self.size(a) < size][: self.beam] or [self.smallest]
                grown = self._new(self.growth.grown(smaller, size), turn)
                if grown:
                    self.log = {"size": size, "expansions": len(grown)}
                    return self._best(Mutants(grown, "growth"), replace(turn, wanted=min(count, missing)))
        return super().ask(count, pending)

    def candidates(self, ranking: list[Architecture], turn: Turn) -> Mutants:
        """Replacements of single units in the best architectures of any size."""
        return Mutants(self._new(self.growth.replaced(ranking[: self.beam]), turn))

    def ranked(self, predicted: Prediction, rng: np.random.Generator) -> NDArray[np.int64]:
        """By the mean."""
        return predicted.ranked("mean", rng)

    @property
    def smallest(self) -> Architecture:
        """All units are the simplest."""
        return self.growth.smallest

    def size(self, architecture: Architecture) -> int:
        """How many units were chosen."""
        return self.growth.size(architecture)

    def _new(self, found: Iterator[Grown], turn: Turn) -> dict[Architecture, Architecture]:
        return self.growth.new(found, turn.known, self.options.expansions, turn.rng)

    def _best(self, grown: Mutants, turn: Turn) -> list[Proposal]:
        """The expansions that the surrogate ranks first; the first ones where it has nothing to learn from."""
        if self.can_learn(turn.pending):
            return self.choose(grown, turn)
        return [grown.proposal(index, None) for index in range(min(turn.wanted, len(grown)))]

    def described(self, architectures: Sequence[Architecture]) -> list[NDArray[np.float64]]:
        """One-hot tokens alone, since expansions are many."""
        return [self.rows(list(architectures))]

    def rows(self, architectures: list[Architecture]) -> NDArray[np.float64]:
        """One-hot tokens of the canonical form."""
        from naopt.latent.features import one_hot

        return one_hot(self.space, [self.space.canonical(architecture.tokens) for architecture in architectures])
