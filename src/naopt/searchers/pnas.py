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
from naopt.searchers.predictor import Prediction, Turn
from naopt.spaces import Architecture, SearchSpace, Tokens

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

    Our reading for spaces whose sequences all have one length: a unit is ``space.tokens_per_step`` tokens (a branch of
    a cell, an edge of NAS-Bench-201), and an architecture of size b has b units that were chosen; the others are the
    simplest there are, an operation that passes its input on where the space has one and the first valid choice
    elsewhere. So every small architecture is a whole one, and the surrogate reads it as one-hot tokens.

    Departures: growth goes unit by unit (blocks of the paper have two branches), and the best of a smaller size stay
    in the beam. When all sizes had their turn, single units of the best are replaced in every way, ranked alike, until
    the budget is spent.
    """

    settings_type = PNASSettings
    counted = "replacements"

    def __init__(
        self, space: SearchSpace, problem: Problem | Objective, settings: PNASSettings, *, seed: int, budget: int
    ) -> None:
        self.units = len(space.positions) // space.tokens_per_step
        beam = settings.beam or max(1, min(round(settings.beam_share * budget), budget // (self.units + 1)))
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
        self.smallest = space.architecture(self._completed(()))
        self._sizes: dict[Architecture, int] = {}

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
                grown = self._new(self._grown(smaller, size), turn)
                if grown:
                    self.log = {"size": size, "expansions": len(grown)}
                    return self._best(Mutants(grown, "growth"), replace(turn, wanted=min(count, missing)))
        return super().ask(count, pending)

    def candidates(self, ranking: list[Architecture], turn: Turn) -> Mutants:
        """Replacements of single units in the best architectures of any size."""
        return Mutants(self._new(self._replaced(ranking[: self.beam]), turn))

    def ranked(self, predicted: Prediction, rng: np.random.Generator) -> NDArray[np.int64]:
        """By the mean."""
        return predicted.ranked("mean", rng)

    def size(self, architecture: Architecture) -> int:
        """How many units were chosen: all up to the last one that is not the simplest."""
        if architecture not in self._sizes:
            step, tokens, size = self.space.tokens_per_step, architecture.tokens, self.units
            while size and self._completed(tokens[: (size - 1) * step]) == tokens:
                size -= 1
            self._sizes[architecture] = size
        return self._sizes[architecture]

    def _completed(self, prefix: Tokens) -> Tokens:
        """A prefix with the simplest choices after it."""
        tokens = prefix
        for position in self.space.positions[len(prefix) :]:
            valid = self.space.choices(tokens)
            passing = (choice for choice in valid if position.choices[choice] in self.space.skips)
            tokens = (*tokens, next(passing, valid[0]))
        return tokens

    def _units_after(self, prefix: Tokens) -> list[Tokens]:
        """A prefix with every unit that is valid after it."""
        found = [prefix]
        for _ in range(self.space.tokens_per_step):
            found = [(*tokens, choice) for tokens in found for choice in self.space.choices(tokens)]
        return found

    def _grown(self, parents: list[Architecture], size: int) -> Iterator[tuple[Tokens, Architecture]]:
        """Every choice of unit number ``size`` (from 1), which none of the parents has chosen."""
        for parent in parents:
            for tokens in self._units_after(parent.tokens[: (size - 1) * self.space.tokens_per_step]):
                yield self._completed(tokens), parent

    def _replaced(self, parents: list[Architecture]) -> Iterator[tuple[Tokens, Architecture]]:
        """Every choice of every unit, where the rest stays valid."""
        step = self.space.tokens_per_step
        for parent in parents:
            for at in range(0, self.units * step, step):
                for begun in self._units_after(parent.tokens[:at]):
                    tokens = begun + parent.tokens[at + step :]
                    if self.space.contains(tokens):
                        yield tokens, parent

    def _new(self, found: Iterator[tuple[Tokens, Architecture]], turn: Turn) -> dict[Architecture, Architecture]:
        """Distinct architectures that are not known, with their parents; a random part if there are too many."""
        new: dict[Architecture, Architecture] = {}
        for tokens, parent in found:
            architecture = self.space.architecture(tokens)
            if architecture not in turn.known:
                new.setdefault(architecture, parent)
        rows = list(new.items())
        return dict(rows[index] for index in turn.rng.permutation(len(rows))[: self.options.expansions].tolist())

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
