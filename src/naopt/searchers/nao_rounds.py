"""What the rounds of ``nao`` have in common, whatever latent model they climb in."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from naopt.measurement import Measurement
from naopt.searchers.base import Known, Proposal
from naopt.searchers.feasible import Feasible, Unlikely, sample_likely
from naopt.searchers.nao_settings import NAOSettings
from naopt.spaces import Architecture, SearchSpace

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Found = dict[Architecture, Proposal]
"""New architectures in order of discovery."""


class NAORounds(ABC):
    """Makes rounds of proposals: fit, ascend from the best, decode, choose, fill up.

    Args:
        space: where to search.
        options: settings.
        seeds: K, from how many of the best ascents start.
        seed: of the search.
    """

    def __init__(self, space: SearchSpace, options: NAOSettings, seeds: int, seed: int) -> None:
        self.space, self.options, self.seeds, self.seed = space, options, seeds, seed
        self.known = self.unlikely = Known()
        self.feasible = self.new_feasible()

    def new_feasible(self) -> Feasible:
        """What can be measured, by all features of the space."""
        return Feasible(self.space)

    def learn(self, history: Sequence[tuple[Architecture, Measurement]]) -> None:
        """Takes note of all that was told, before each round."""
        self.feasible.learn(history)

    @abstractmethod
    def propose(
        self,
        architectures: list[Architecture],
        scores: NDArray[np.float64],
        known: Known,
        pending: Sequence[Architecture],
        wanted: int,
        rng: np.random.Generator,
        errors: NDArray[np.float64] | None = None,
    ) -> tuple[list[Proposal], dict[str, Any]]:
        """Up to ``wanted`` proposals that are not ``known``, predictions as scores (larger is better), and a log.

        Args:
            architectures: what was measured, at least 2.
            scores: of them ``(n,)``.
            known: what must not be proposed. What hardly can be measured is known to ``feasible``.
            pending: the part of it that others are at work on.
            wanted: how many, at least 1.
            rng: all randomness of the round.
            errors: standard errors of the scores ``(n,)``, where they are known.
        """

    @abstractmethod
    def choose(self, found: Found, wanted: int) -> list[Proposal]:
        """The best ``wanted`` of what was found, best first."""

    @abstractmethod
    def predict(self, architectures: list[Architecture]) -> NDArray[np.float64]:
        """Scores ``(n,)``."""

    def collect(self, found: Found, architecture: Architecture, origin: str, parent: Architecture) -> bool:
        """Files an architecture that is new and not ``unlikely``; says whether it was."""
        if architecture in self.known or architecture in found or architecture in self.unlikely:
            return False
        found[architecture] = Proposal(architecture, origin, parent=parent)
        return True

    def add_neighbours(self, found: Found, seeds: list[Architecture], rng: np.random.Generator) -> None:
        """Files random one-change neighbours of each seed."""
        for seed in seeds:
            for _ in range(self.options.neighbours):
                self.collect(found, self.space.mutate(seed, rng), "neighbour", seed)

    def filled_up(
        self, chosen: list[Proposal], seeds: list[Architecture], wanted: int, rng: np.random.Generator
    ) -> list[Proposal]:
        """The proposals with their predictions, and what a full round lacks: mutated seeds, best first, then random."""
        taken = {proposal.architecture: proposal for proposal in chosen}
        if self.options.refill == "mutation" and len(chosen) < wanted:
            mutants: Found = {}
            for seed in seeds * max(2, 4 * wanted // len(seeds)):
                mutant = self.space.mutate(seed, rng)
                if mutant not in taken:
                    self.collect(mutants, mutant, "refill", seed)
            chosen = chosen + self.choose(mutants, wanted - len(chosen))
        known, missing = Known(self.known, {proposal.architecture for proposal in chosen}), wanted - len(chosen)
        others = sample_likely(self.space, known, Unlikely(self.feasible), missing, rng)
        chosen = chosen + [Proposal(a, "refill") for a in others]
        predicted = self.predict([proposal.architecture for proposal in chosen])
        return [replace(p, predicted=float(value)) for p, value in zip(chosen, predicted, strict=True)]
