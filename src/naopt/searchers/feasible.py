"""What a searcher learns from architectures that could not be measured: which others hardly can be."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import logsumexp

from naopt.latent.encoding import EVERY, as_written, encoded
from naopt.latent.schedule import scheduled
from naopt.measurement import Measurement
from naopt.searchers.base import Known, sample_new
from naopt.spaces import Architecture, SearchSpace

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from naopt.latent.feasibility import FeasibilityModel

    Array = NDArray[np.float64]
    Encode = Callable[[Sequence[Architecture]], Sequence[Array]]
    Outcome = tuple[Architecture, bool]

_LOG_LIKELY = float(np.log(0.5))
"""What has less than half of the highest probability is unlikely."""
_GROWTH = 1.2
_CHUNK = 64
_AT_ONCE = 1024
_MOST = 400
"""Outcomes of which it learns; a fit to more takes seconds."""
_BEHIND = -1e6


def _latest(outcomes: Sequence[Outcome]) -> tuple[list[Architecture], NDArray[np.bool_]]:
    """The latest outcomes, in order, up to half of them of the rarer kind."""
    feasible = np.array([ok for _, ok in outcomes], dtype=np.bool_)
    of_kind = [np.flatnonzero(feasible == kind) for kind in (True, False)]
    fewer = min(_MOST // 2, *map(len, of_kind))
    kept = np.sort(np.concatenate([rows[-(_MOST - fewer) :] for rows in of_kind]))
    return [outcomes[index][0] for index in kept], feasible[kept]


class Feasible:
    """Knowledge of what can be measured, from every outcome but interruptions.

    Two models, one of all features and one of identities alone, which is what most limits depend on, are mixed by how
    well they foresee each outcome from all others. Of more than 400 outcomes the latest of either kind count. What is
    known is a function of the outcomes and their order; parameters of the processes are fitted anew each time the
    outcomes have grown by a fifth.

    Args:
        space: of the architectures.
        encode: groups of features of ``n >= 1`` architectures, each ``(n, columns)``; all that ``nao`` embeds if not
            given. Identities come on top.
    """

    def __init__(self, space: SearchSpace, encode: Encode | None = None) -> None:
        self._space, self._encode = space, encode
        self._models: list[tuple[int, FeasibilityModel]] = []
        self._weights = np.empty(0)
        self._parameters: tuple[int, list[Array | None]] = 0, []
        self._learned = 0
        self._highest = 0.0

    def learn(self, history: Sequence[tuple[Architecture, Measurement]]) -> Feasible:
        """Learns from all that was told, of which earlier calls had the first part, and forgets what it knew."""
        outcomes = [(architecture, m.ok) for architecture, m in history if m.status != "interrupted"]
        if len(outcomes) == self._learned:
            return self
        self._learned, self._models = len(outcomes), []
        tried, feasible = _latest(outcomes)
        if feasible.all() or not feasible.any():
            return self
        from naopt.latent.feasibility import FeasibilityModel

        views, parameters = self._views(tried), self._scheduled(outcomes)
        models = [FeasibilityModel(view, feasible, given) for view, given in zip(views, parameters, strict=True)]
        self._models = [(index, model) for index, model in enumerate(models) if model.concludes]
        if self._models:
            foreseen = np.array([model.foreseen for _, model in self._models])
            self._weights = foreseen - logsumexp(foreseen)
            self._highest = float(self._mixed(views)[feasible].max())
        return self

    @property
    def concludes(self) -> bool:
        """Whether failures are known to repeat by structure."""
        return bool(self._models)

    def log_probability(self, architectures: Sequence[Architecture]) -> Array:
        """Logarithm of the probability that each can be measured ``(n,)``; 0 where nothing is known."""
        if not self._models or not architectures:
            return np.zeros(len(architectures))
        return self._mixed(self._views(architectures))

    def log_weight(self, architectures: Sequence[Architecture]) -> Array:
        """The same ``(n,)``, to be added to logarithms of expected improvements: the unlikely comes behind all else."""
        found = self.log_probability(architectures)
        return np.where(self._are_likely(found), found, found + _BEHIND)

    def likely(self, architectures: Sequence[Architecture]) -> NDArray[np.bool_]:
        """Whether the probability of each is half of the highest one of what could be measured, or more ``(n,)``."""
        return self._are_likely(self.log_probability(architectures))

    def _are_likely(self, log_probability: Array) -> NDArray[np.bool_]:
        found: NDArray[np.bool_] = log_probability >= self._highest + _LOG_LIKELY
        return found

    def first(self, order: NDArray[np.int64], values: Array, architecture: Callable[[int], Architecture]) -> int:
        """The candidate with the largest value times probability.

        Args:
            order: indices ``(n,)``, ``n >= 1``, largest value first.
            values: logarithms by index.
            architecture: by index. The most promising are looked at, until no probability could help the next one.
        """
        best, found = -np.inf, int(order[0])
        for at in range(0, len(order) if self.concludes else 0, _CHUNK):
            some = order[at : at + _CHUNK].tolist()
            if values[some[0]] <= best:
                break
            together = values[some] + self.log_weight([architecture(index) for index in some])
            if together.max() > best:
                best, found = float(together.max()), some[int(together.argmax())]
        return found

    def _views(self, architectures: Sequence[Architecture]) -> list[list[Array]]:
        """What either model sees."""
        groups = self._encode(architectures) if self._encode else encoded(self._space, architectures, EVERY).values()
        written = as_written(self._space, architectures)
        return [[*groups, *written], written]

    def _mixed(self, views: Sequence[Sequence[Array]]) -> Array:
        parts = [
            weight + model.log_probability(views[index])
            for weight, (index, model) in zip(self._weights, self._models, strict=True)
        ]
        return np.asarray(logsumexp(parts, axis=0), dtype=np.float64)

    def _scheduled(self, outcomes: Sequence[Outcome]) -> list[Array | None]:
        """Parameters of the models' processes by the first part of the outcomes; ``None`` if it is all of one kind."""
        from naopt.latent.feasibility import FeasibilityModel

        count = scheduled(len(outcomes), _GROWTH)
        if self._parameters[0] != count:
            tried, feasible = _latest(outcomes[:count])
            if feasible.all() or not feasible.any():
                return [None, None]
            models = [FeasibilityModel(view, feasible) for view in self._views(tried)]
            self._parameters = count, [model.process.parameters for model in models]
        return self._parameters[1]


class Unlikely(Known):
    """What can hardly be measured, for searchers to take for known; a lookup costs a prediction, once."""

    def __init__(self, feasible: Feasible) -> None:
        super().__init__()
        self._feasible = feasible
        self._found: dict[Architecture, bool] = {}

    def __contains__(self, architecture: object) -> bool:
        if not self._feasible.concludes or not isinstance(architecture, Architecture):
            return False
        if architecture not in self._found:
            self._found[architecture] = not self._feasible.likely([architecture])[0]
        return self._found[architecture]

    def outside(self, architectures: Iterable[Architecture]) -> list[Architecture]:
        """Those that are likely, many predicted at once."""
        every = list(architectures)
        new = [a for a in every if a not in self._found] if self._feasible.concludes else []
        for at in range(0, len(new), _AT_ONCE):
            some = new[at : at + _AT_ONCE]
            self._found.update(zip(some, (~self._feasible.likely(some)).tolist(), strict=True))
        return [a for a in every if a not in self]

    def __iter__(self) -> Iterator[Architecture]:
        return iter(())

    def __bool__(self) -> bool:
        return self._feasible.concludes


def sample_likely(
    space: SearchSpace, known: Known, unlikely: Known, count: int, rng: np.random.Generator
) -> list[Architecture]:
    """``sample_new`` outside what is ``unlikely``, and inside it where nothing else is left."""
    found = sample_new(space, Known(known, unlikely), count, rng) if unlikely else []
    if len(found) < count:
        found += sample_new(space, Known(known, set(found)), count - len(found), rng)
    return found
