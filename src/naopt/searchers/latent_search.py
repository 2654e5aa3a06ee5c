"""What searchers on a latent model have in common: random architectures, then rounds of a fit and a search in it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from naopt.latent.settings import LatentSettings
from naopt.problem import Objective, Problem
from naopt.searchers.base import Known, Proposal, Searcher
from naopt.searchers.candidates import FEWEST_SCORES, scored
from naopt.searchers.feasible import Feasible, Unlikely, sample_likely
from naopt.spaces import Architecture, SearchSpace

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from naopt.latent import LatentModel

_OF_RANDOM = 1

FoundT = TypeVar("FoundT")


class LatentSearcher(Searcher, Generic[FoundT]):
    """Random architectures first; then rounds: fit the latent model, search its space, propose the best of that.

    A searcher says how it will ``search``, and ``choose`` among what it found. What a round leaves open is filled up
    with random architectures (origin ``refill``). Diverged architectures count as the worst score. What hardly can be
    measured, by all failures (``Feasible``), is passed over.

    While others are pending the model is fitted and its space is searched anew after every ``new_per_round`` results,
    as in rounds; until then the next best of the same search is proposed that is neither told nor pending. Before as
    many as ``initial`` are told, workers that would idle measure further random architectures.

    Args:
        space: see ``Searcher``.
        objective: see ``Searcher``.
        settings: see ``Searcher``; those of the latent model among them.
        seed: see ``Searcher``.
        budget: see ``Searcher``.
        initial: random architectures before the first fit.
        new_per_round: proposals of one round.
        device: where the model lives.
    """

    def __init__(
        self,
        space: SearchSpace,
        problem: Problem | Objective,
        settings: LatentSettings,
        *,
        seed: int,
        budget: int,
        initial: int,
        new_per_round: int,
        device: str,
    ) -> None:
        super().__init__(space, problem, settings, seed=seed, budget=budget)
        self.initial, self.new_per_round = initial, new_per_round
        self._latent_settings, self._device = settings, device
        self.feasible = Feasible(space)
        self._model: LatentModel | None = None
        self._log: dict[str, Any] = {}
        self._latest: tuple[tuple[int, int | None], FoundT] | None = None

    # What each searcher says.

    @abstractmethod
    def search(
        self, architectures: list[Architecture], scores: NDArray[np.float64], told: int, limit: int | None
    ) -> FoundT:
        """Fits the model and searches its space; a function of the first ``told`` measurements and ``limit``.

        Args:
            architectures: what was measured, ``n >= 2``.
            scores: of them ``(n,)``.
            told: how many measurements that are.
            limit: see ``limit``.
        """

    @abstractmethod
    def choose(self, found: FoundT, known: Known, wanted: int) -> list[Proposal]:
        """The best ``wanted`` of what was found that are not known, best first; predictions as scores."""

    @abstractmethod
    def complete(self, found: FoundT, chosen: list[Proposal]) -> list[Proposal]:
        """A whole round with what is still to be said about it, in its proposals and in the log."""

    def limit(self, _: int) -> int | None:
        """After how many new architectures a search for so many may end; ``None`` if it goes on."""
        return None

    @property
    def keeps_round(self) -> bool:
        """Whether a round that was asked for in parts is one search, even if nothing is pending."""
        return False

    # The round.

    @property
    def model(self) -> LatentModel:
        """The latent model; made when first needed, because that imports torch."""
        if self._model is None:
            from naopt.latent import LatentModel

            self._model = LatentModel(self.space, self._latent_settings, self.seed, self._device)
        return self._model

    @property
    def round_size(self) -> int:
        """The setting ``new_per_round``, or its share of the budget."""
        return self.new_per_round

    def round_log(self) -> dict[str, Any]:
        """Losses of the latest fits, yields of the latest search; empty for a random round."""
        return self._log

    def ask(self, count: int, pending: Sequence[Architecture] = ()) -> list[Proposal]:
        """The rest of the random architectures, or one round."""
        self._log = {}
        told, known = len(self.history), Known(self.seen, pending)
        missing = self.initial - told - len(pending)
        if missing > 0:
            return self._random(min(count, missing), "random", known, pending)
        wanted = count if pending else min(count, self.new_per_round)
        if pending or self.keeps_round:
            told = max(0, told - (told - self.initial) % self.new_per_round) if told >= self.initial else 0
        architectures, scores = scored(self.history[:told], self.objective)
        if len(scores) < FEWEST_SCORES:
            return self._random(wanted, "random", known, pending)
        with self.model.reproducible(self.seed):
            key = told, None if pending else self.limit(wanted)
            if self._latest is None or self._latest[0] != key:
                self._latest = key, self.search(architectures, scores, *key)
            found = self._latest[1]
            unlikely = Unlikely(self.feasible.learn(self.history[:told]))
            chosen = self.choose(found, Known(known, unlikely), wanted)
            taken = [proposal.architecture for proposal in chosen]
            chosen += self._random(wanted - len(chosen), "refill", Known(known, taken), pending)
            return self.complete(found, chosen)

    def _random(self, count: int, origin: str, known: Known, pending: Sequence[Architecture]) -> list[Proposal]:
        rng, unlikely = self.generator(_OF_RANDOM, pending=pending), Unlikely(self.feasible.learn(self.history))
        return [
            Proposal(architecture, origin) for architecture in sample_likely(self.space, known, unlikely, count, rng)
        ]
