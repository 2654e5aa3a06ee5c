"""The round that all searchers with a predictor share: learn from what was measured, propose the most promising."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, Protocol, TypeVar

import numpy as np

from naopt.configuration import PresetSettings
from naopt.latent.encoding import EVERY, POSITIONS, encoded
from naopt.latent.priors import Priors
from naopt.problem import Objective, Problem
from naopt.searchers.base import Known, Proposal, Searcher
from naopt.searchers.candidates import best_first, fewest_scores, scored
from naopt.searchers.feasible import Feasible, Unlikely, sample_likely
from naopt.searchers.first import first, first_count
from naopt.spaces import Architecture, SearchSpace

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from naopt.latent.targets import Normalisation, Targets

    Array = NDArray[np.float64]

_OF_FIT = 0x666974
"""Sets the randomness of a fit that several ``ask`` share apart."""


Acquisition = Literal["thompson", "ucb", "ei", "pi", "mean"]
Encoding = Literal["tokens", "paths", "both", "sizes", "all"]
GROUPS: dict[Encoding, tuple[str, ...]] = {
    "tokens": ("tokens",),
    "paths": ("paths",),
    "both": ("tokens", "paths"),
    "sizes": ("tokens", "paths", "sizes"),
    "all": (*EVERY, POSITIONS),
}
"""Groups of features that make up each encoding; ``all`` are those that ``nao`` embeds."""

COLUMNS: dict[Encoding, tuple[str, ...]] = {
    encoding: tuple(group for group in groups if group not in {"flow", POSITIONS})
    for encoding, groups in GROUPS.items()
}
"""The same where groups are put side by side: what the others have is among the sizes, tokens and numbers."""


class Pool(Protocol):
    """New architectures to choose among."""

    def __len__(self) -> int:
        """How many."""

    def architecture(self, index: int) -> Architecture:
        """One of them."""

    def proposal(self, index: int, predicted: float | None) -> Proposal:
        """One of them with its origin and parent."""


PoolT = TypeVar("PoolT", bound=Pool)
ModelT = TypeVar("ModelT")


@dataclass(frozen=True, slots=True)
class Turn:
    """What one ``ask`` is about.

    Attributes:
        wanted: how many will be chosen, at least 1.
        pending: see ``Searcher.ask``.
        known: what is no candidate: what was told, and what is pending.
        rng: a function of the seed, the history and how many are pending.
    """

    wanted: int
    pending: Sequence[Architecture]
    known: Known
    rng: np.random.Generator


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a model says of candidates.

    Attributes:
        mean: predicted targets ``(n,)``.
        deviation: of these predictions ``(n,)``.
        best: the largest target so far.
    """

    mean: Array
    deviation: Array
    best: float

    def ranked(self, acquisition: Acquisition, rng: np.random.Generator, weight: float = 0.0) -> NDArray[np.int64]:
        """Candidates by an acquisition value, best first; of equal ones, the larger mean. Not a number is the worst."""
        return self.ordered(self.valued(acquisition, rng, weight))

    def valued(self, acquisition: Acquisition, rng: np.random.Generator, weight: float = 0.0) -> Array:
        """Acquisition values ``(n,)``; expected improvements as logarithms."""
        from naopt.latent.acquisition import acquire

        return acquire(acquisition, self.mean, self.deviation, self.best, weight, rng)

    def ordered(self, values: Array) -> NDArray[np.int64]:
        """Candidates by such values."""
        return np.lexsort((-self.mean, -np.nan_to_num(values, nan=-np.inf)))


@dataclass(frozen=True, slots=True)
class Learned(Generic[ModelT]):
    """A model that was fitted, and to what: scores as targets, of which ``best`` is the largest."""

    model: ModelT
    targets: Targets
    best: float


class PredictorSearcher(Searcher, Generic[PoolT, ModelT]):
    """Random architectures first; then rounds: fit on all that was measured, propose ``batch`` architectures.

    A searcher says what the ``candidates`` of a round are, what model is ``fitted``, what it ``predicts`` of them, and
    how they are ``ranked``. Every fit starts from scratch, so that it depends on the history and the seed
    alone. Models see priors as further features; where a look at these takes time, at those of the candidates that rank
    first. Diverged architectures count as the worst score. What hardly can be measured, by all failures (``Feasible``),
    is passed over. What a round leaves open is filled up with random architectures (origin ``refill``).

    While others are pending the model is fitted anew after every ``batch`` results, as in rounds; until then the same
    one chooses among new candidates, best first, and what is pending is no candidate.

    Args:
        space: see ``Searcher``.
        objective: see ``Searcher``.
        settings: see ``Searcher``.
        seed: see ``Searcher``.
        budget: see ``Searcher``.
        initial: random architectures before the first fit.
        batch: proposals of one round.
        normalisation: what turns scores into targets.
    """

    def __init__(
        self,
        space: SearchSpace,
        problem: Problem | Objective,
        settings: PresetSettings,
        *,
        seed: int,
        budget: int,
        initial: int,
        batch: int,
        normalisation: Normalisation,
    ) -> None:
        super().__init__(space, problem, settings, seed=seed, budget=budget)
        self.initial, self.batch, self.normalisation = initial, batch, normalisation
        self.log: dict[str, Any] = {}
        self.feasible = Feasible(space, self.described)
        self.priors: Priors | None = None
        if self.informed and self.problem.priors is not None:
            self.priors = Priors(space, self.problem.priors, self._side_by_side, slow=self.problem.slow_priors)
            self.initial = first_count(self.problem.priors, initial)
        self._shared: tuple[int, Learned[ModelT]] | None = None

    # What each searcher says.

    counted: ClassVar[str] = "candidates"
    """What the log calls the number of candidates."""
    learns_at_once: ClassVar[bool] = False
    """Whether each result is learned from when it comes, because a fit is quick."""

    @abstractmethod
    def candidates(self, ranking: list[Architecture], turn: Turn) -> PoolT:
        """Among what a round chooses; ``ranking`` is what was measured, best first, ``n >= 2``."""

    @abstractmethod
    def fitted(self, architectures: list[Architecture], targets: Array, rng: np.random.Generator) -> ModelT:
        """A model of targets ``(n,)``, ``n >= 2``."""

    @abstractmethod
    def predicts(self, model: ModelT, candidates: PoolT) -> tuple[Array, Array]:
        """Means and deviations of the targets of all candidates, each ``(n,)``, ``n >= 1``."""

    @abstractmethod
    def ranked(self, predicted: Prediction, rng: np.random.Generator) -> NDArray[np.int64]:
        """Candidates, the one to measure first at the front."""

    def described(self, architectures: Sequence[Architecture]) -> list[Array]:
        """Groups of features ``(n, columns)`` by which it is learned what can be measured."""
        return list(encoded(self.space, architectures, EVERY).values())

    def _side_by_side(self, architectures: Sequence[Architecture]) -> Array:
        return np.concatenate(self.described(architectures), axis=1)

    def learns_from(self, pending: Sequence[Architecture]) -> int:
        """On how many measurements the model of the next ``ask`` is fitted."""
        told = len(self.history)
        return told if self.learns_at_once or not pending else max(0, told - (told - self.initial) % self.batch)

    # The round.

    @property
    def round_size(self) -> int:
        """The setting ``batch``, or its share of the budget."""
        return self.batch

    def round_log(self) -> dict[str, Any]:
        """What the latest round counted; empty for random ones."""
        return self.log

    def ask(self, count: int, pending: Sequence[Architecture] = ()) -> list[Proposal]:
        """The rest of the random architectures, or one round."""
        self.log = {}
        if self.priors is not None:
            self.priors.begin([*(architecture for architecture, _ in self.history), *pending])
        turn = self.turn(count if pending else min(count, self.batch), pending)
        begun = len(self.history) + len(pending)
        if (missing := self.initial - begun) > 0:
            drawn = self._random(min(count, missing), "random", turn)
            promised = self.problem.priors if self.informed else None
            return first(promised, turn.known, begun, min(count, missing), drawn)
        if not self.can_learn(pending):
            return self._random(turn.wanted, "random", turn)
        candidates = self.candidates(best_first(*scored(self.history, self.objective)), turn)
        self.log = {self.counted: len(candidates)}
        chosen = self.choose(candidates, turn) if len(candidates) else []
        if len(chosen) < turn.wanted:
            taken = {proposal.architecture for proposal in chosen}
            chosen += self._random(turn.wanted - len(chosen), "refill", turn, taken)
        return chosen

    def turn(self, wanted: int, pending: Sequence[Architecture]) -> Turn:
        """A fresh one."""
        return Turn(wanted, pending, Known(self.seen, pending), self.generator(pending=pending))

    def can_learn(self, pending: Sequence[Architecture]) -> bool:
        """Whether there are scores enough for a model."""
        scores = scored(self.history[: self.learns_from(pending)], self.objective)[1]
        return len(scores) >= fewest_scores(self.initial, pending)

    def choose(self, candidates: PoolT, turn: Turn) -> list[Proposal]:
        """The first of the ranked candidates that are not unlikely to be measured."""
        learned = self.learned(turn)
        mean, deviation = self.predicts(learned.model, candidates)
        order = self.ranked(Prediction(mean, deviation, learned.best), turn.rng)
        if self.priors is not None and self.priors.slow:
            order = order[: self.priors.looks(turn.wanted)]
            self.look_at(candidates, order)
            mean, deviation = self.predicts(learned.model, candidates)
            order = order[self.ranked(Prediction(mean[order], deviation[order], learned.best), turn.rng)]
        unlikely = Unlikely(self.feasible)
        first = list(islice((i for i in order.tolist() if candidates.architecture(i) not in unlikely), turn.wanted))
        predicted = self.in_units(mean[first], learned.targets)
        return [candidates.proposal(index, value) for index, value in zip(first, predicted, strict=True)]

    def look_at(self, candidates: PoolT, places: NDArray[np.int64]) -> None:
        """Learns the priors of some candidates."""
        if self.priors is not None:
            self.priors.look([candidates.architecture(place) for place in places.tolist()])

    def learned(self, turn: Turn) -> Learned[ModelT]:
        """What the model makes of the measurements; while others are pending, fitted once for many."""
        from naopt.latent.targets import Targets

        count, rng = self.learns_from(turn.pending), turn.rng
        self.feasible.learn(self.history[:count])
        if turn.pending:
            if self._shared is not None and self._shared[0] == count:
                return self._shared[1]
            rng = np.random.default_rng([self.seed, count, _OF_FIT])
        architectures, scores = scored(self.history[:count], self.objective)
        targets = Targets.fit(scores, self.normalisation)
        y = targets.transform(scores)
        learned = Learned(self.fitted(architectures, y, rng), targets, float(y.max()))
        if turn.pending:
            self._shared = count, learned
        return learned

    def in_units(self, mean: Array, targets: Targets) -> list[float | None]:
        """Predicted targets ``(n,)`` in the metric's own unit."""
        sign = self.objective.sign
        scores = sign * targets.inverse(mean)
        return [float(score) if np.isfinite(score) else None for score in scores]

    def _random(self, count: int, origin: str, turn: Turn, taken: Collection[Architecture] = ()) -> list[Proposal]:
        known, unlikely = Known(turn.known, taken), Unlikely(self.feasible.learn(self.history))
        return [Proposal(a, origin) for a in sample_likely(self.space, known, unlikely, count, turn.rng)]
