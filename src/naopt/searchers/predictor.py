"""The round that all searchers with a predictor share: learn from everything measured, propose the most promising."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from naopt.configuration import PresetSettings
from naopt.searchers.base import Objective, Proposal, Searcher, sample_new
from naopt.searchers.candidates import scored
from naopt.spaces import Architecture, SearchSpace

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from naopt.latent.targets import Targets

_FEWEST_SCORES = 2


Acquisition = Literal["thompson", "ucb", "ei", "pi", "mean"]
Encoding = Literal["tokens", "paths", "both", "all"]
GROUPS: dict[Encoding, tuple[str, ...]] = {
    "tokens": ("tokens",),
    "paths": ("paths",),
    "both": ("tokens", "paths"),
    "all": ("tokens", "paths", "sizes"),
}
"""Groups of features that make up each encoding."""


class PredictorSearcher(Searcher):
    """Random architectures first; then rounds: fit on all that was measured, propose ``batch`` architectures.

    Every fit starts from scratch, so that it depends on the history and the seed alone. Diverged, timed-out and
    out-of-memory architectures count as the worst score; other failures teach nothing. What a round leaves open is
    filled up with random architectures (origin ``refill``).

    Args:
        space: see ``Searcher``.
        objective: see ``Searcher``.
        settings: see ``Searcher``.
        seed: see ``Searcher``.
        budget: see ``Searcher``.
        initial: random architectures before the first fit.
        batch: proposals of one round.
    """

    def __init__(
        self,
        space: SearchSpace,
        objective: Objective,
        settings: PresetSettings,
        *,
        seed: int,
        budget: int,
        initial: int,
        batch: int,
    ) -> None:
        super().__init__(space, objective, settings, seed=seed, budget=budget)
        self.initial, self.batch = initial, batch
        self.log: dict[str, Any] = {}

    @abstractmethod
    def propose(
        self, architectures: list[Architecture], scores: NDArray[np.float64], wanted: int, rng: np.random.Generator
    ) -> list[Proposal]:
        """Up to ``wanted`` new architectures, the most promising first.

        Args:
            architectures: what was measured, ``n >= 2``.
            scores: ``(n,)``, larger is better.
            wanted: at least 1.
            rng: a function of the seed and the history.
        """

    def round_log(self) -> dict[str, Any]:
        """What the latest round counted; empty for random ones."""
        return self.log

    def ask(self, count: int) -> list[Proposal]:
        """The rest of the random architectures, or one round."""
        self.log = {}
        rng = self.generator()
        missing = self.initial - len(self.history)
        if missing > 0:
            return self._random(min(count, missing), "random", set(), rng)
        architectures, scores = scored(self.history, self.objective)
        wanted = min(count, self.batch)
        if len(scores) < _FEWEST_SCORES:
            return self._random(wanted, "random", set(), rng)
        chosen = self.propose(architectures, scores, wanted, rng)
        if len(chosen) < wanted:
            taken = {proposal.architecture for proposal in chosen}
            chosen += self._random(wanted - len(chosen), "refill", taken, rng)
        return chosen

    def _random(self, count: int, origin: str, taken: set[Architecture], rng: np.random.Generator) -> list[Proposal]:
        return [Proposal(a, origin) for a in sample_new(self.space, self.seen | taken, count, rng)]

    def ranked(
        self,
        candidates: Mapping[Architecture, Architecture | None],
        value: NDArray[np.float64],
        mean: NDArray[np.float64],
        targets: Targets,
        wanted: int,
        origin: str = "mutation",
    ) -> list[Proposal]:
        """The ``wanted`` candidates of largest ``value (n,)``.

        Args:
            candidates: n architectures, each with what it was made from.
            value: what they are chosen by; of equal ones, the larger mean. Not a number counts as the worst.
            mean: predicted targets ``(n,)``.
            targets: what turns predictions into scores.
            wanted: how many.
            origin: of those with a parent; the others are ``random``.
        """
        order = np.lexsort((-mean, -np.nan_to_num(value, nan=-np.inf)))[:wanted]
        rows = list(candidates.items())
        predicted = self.in_units(mean[order], targets)
        return [
            Proposal(rows[index][0], origin if rows[index][1] else "random", expected, rows[index][1])
            for index, expected in zip(order.tolist(), predicted, strict=True)
        ]

    def in_units(self, mean: NDArray[np.float64], targets: Targets) -> list[float | None]:
        """Predicted targets ``(n,)`` in the metric's own unit."""
        sign = 1 if self.objective.goal == "max" else -1
        scores = sign * targets.inverse(mean)
        return [float(score) if np.isfinite(score) else None for score in scores]
