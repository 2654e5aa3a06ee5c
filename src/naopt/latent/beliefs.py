"""What measurements of other tasks make one expect of a space's architectures."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from naopt.errors import InputError
from naopt.latent.embedding import Embedding
from naopt.latent.embedding_settings import EmbeddingSettings
from naopt.latent.gaussian_process import GaussianProcess
from naopt.latent.pretraining import embedding_of
from naopt.latent.targets import Normalisation, Targets
from naopt.latent.threads import one_thread
from naopt.spaces import Architecture, SearchSpace, Tokens

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from naopt.problem import Costs

    Array = NDArray[np.float64]

MOST_ROWS = 500
"""How many architectures a process is fitted to: twice as many take eight times as long, and add little."""
_ROWS = 64
_MOST_KEPT = 50_000
_CLIMBING, _CLIMBS, _NEIGHBOURS, _PROMISING = 20, 3, 200, 200


class Belief:
    """A Gaussian process on the blocks of the space's embedding, fitted to the measurements of one source.

    Targets are normal scores of the ranks among all measurements of the source, larger is better, so nothing is said
    about the source's scale. Architectures of one canonical form count as one with the mean of their targets.

    Args:
        name: of the source and its metric.
        space: of the architectures.
        rows: what it is fitted to, best first, ``n >= 1``.
        targets: of these ``(n,)``.
        parameters: of the process, as ``GaussianProcess.fit`` takes them; fitted if not given.
        metric: what was measured.
        task: on what, as far as that is known.
        embedding: what its kernels see; that of the space by default settings, if not given.
        below: another belief of the space: what it expects, and what its measurements add, are prior knowledge of this
            one's process, as ``Priors`` are.
    """

    def __init__(
        self,
        name: str,
        space: SearchSpace,
        rows: Sequence[Architecture],
        targets: Array,
        parameters: Array | None = None,
        *,
        metric: str = "",
        task: str = "",
        embedding: Embedding | None = None,
        below: Belief | None = None,
    ) -> None:
        self.metric, self.task, self._below = metric, task, below
        self.name, self.space, self.rows, self.targets = name, space, tuple(rows), targets
        self.embedding = embedding or embedding_of(space, EmbeddingSettings())
        groups = self._groups(self._points(self.rows))
        linear, product = 0 if below is None else 2, self.embedding.together
        self._process = GaussianProcess(linear=linear, product=product).fit(groups, targets, parameters)
        self._own = {space.canonical(row.tokens): target for row, target in zip(rows, targets.tolist(), strict=True)}
        self._found: dict[Architecture, float] = {}

    @classmethod
    def fit(
        cls,
        name: str,
        space: SearchSpace,
        scores: Mapping[Architecture, float],
        *,
        metric: str = "",
        task: str = "",
        normalisation: Normalisation = "rank",
        parameters: Array | None = None,
        embedding: Embedding | None = None,
        below: Belief | None = None,
    ) -> Belief:
        """From scores, larger is better. Of more than 500 forms it takes the best 250, and 250 evenly spaced others.

        ``normalisation`` makes targets of scores; the other arguments are as of the class.

        Raises:
            InputError: fewer than 2 different scores, which rank nothing.
        """
        values = np.array(list(scores.values()), dtype=np.float64)
        if len(np.unique(values)) < 2:
            raise InputError("history", name, f"has {len(np.unique(values))} different values, which rank nothing")
        alike: dict[Tokens, list[tuple[Architecture, float]]] = {}
        for architecture, target in zip(
            scores, Targets.fit(values, normalisation).transform(values).tolist(), strict=True
        ):
            alike.setdefault(space.canonical(architecture.tokens), []).append((architecture, target))
        targets = np.array([np.mean([target for _, target in same]) for same in alike.values()])
        order = np.argsort(-targets, kind="stable")
        best, others = order[: MOST_ROWS // 2], order[MOST_ROWS // 2 :]
        room = MOST_ROWS - len(best)
        if len(others) > room:
            others = others[np.linspace(0, len(others) - 1, room).round().astype(np.int64)]
        chosen = np.concatenate([best, others])
        rows = [same[0][0] for same in alike.values()]
        first = [rows[row] for row in chosen]
        return cls(
            name, space, first, targets[chosen], parameters, metric=metric, task=task, embedding=embedding, below=below
        )

    @property
    def parameters(self) -> Array:
        """Of the process."""
        assert self._process.parameters is not None
        return self._process.parameters

    @one_thread()
    def __call__(self, architectures: Sequence[Architecture]) -> Array:
        """Posterior means ``(n,)``; no bit of one depends on what else is asked for."""
        if len(self._found) > _MOST_KEPT:
            self._found.clear()
        if new := [architecture for architecture in dict.fromkeys(architectures) if architecture not in self._found]:
            self._found |= zip(new, self._means(self._points(new)).tolist(), strict=True)
        return np.array([self._found[architecture] for architecture in architectures])

    def apart(self, architectures: Sequence[Architecture]) -> Array:
        """By how much what was measured is above what is expected ``(n,)``; 0 for what was not measured.

        A process takes for noise what it does not understand, and a part of that belongs to the architecture.
        """
        own = [self._own.get(self.space.canonical(architecture.tokens)) for architecture in architectures]
        measured = np.array([target is not None for target in own], dtype=np.bool_)
        targets = np.array([target or 0.0 for target in own])
        return np.where(measured, targets - self(architectures), 0.0)

    def _points(self, architectures: Sequence[Architecture]) -> Array:
        """The embedding, and what is expected below ``(n, dimensions)``."""
        points = self.embedding.encode(architectures)
        below = self._below
        return points if below is None else np.c_[points, below(architectures), below.apart(architectures)]

    def _groups(self, points: Array) -> list[Array]:
        """One for each kernel."""
        if self._below is None:
            return self.embedding.split(points)
        both = [points[:, -2:-1], points[:, -1:]]
        return [*self.embedding.split(points[:, :-2]), *both, *both]

    def _means(self, points: Array) -> Array:
        """At points ``(n, dimensions)``, always as many at a time, as in ``Embedding``."""
        padded = np.zeros((-(-len(points) // _ROWS) * _ROWS, points.shape[1]))
        padded[: len(points)] = points
        parts = [padded[at : at + _ROWS] for at in range(0, len(padded), _ROWS)]
        return np.concatenate([self._process.predict(self._groups(part))[0] for part in parts])[: len(points)]

    @cached_property
    def promising(self) -> list[Architecture]:
        """Up to 200 architectures of which most is expected, best first.

        The best that were measured, and what is found from these by going to neighbours of which more is expected.
        """
        pool = dict.fromkeys(self.rows[:_PROMISING])
        for _ in range(_CLIMBS):
            for architecture in self._best(pool)[:_CLIMBING]:
                pool |= dict.fromkeys(islice(self.space.neighbours(architecture), _NEIGHBOURS))
        return self._best(pool)[:_PROMISING]

    def _best(self, pool: Collection[Architecture]) -> list[Architecture]:
        every = list(pool)
        return [every[row] for row in np.argsort(-self(every), kind="stable")]


class Beliefs:
    """Beliefs of several sources: what is known of architectures before anything is measured (``Costs``, ``Promises``).

    Args:
        beliefs: no two of one name.
        others: what else is known, of other names.
    """

    def __init__(self, beliefs: Sequence[Belief], others: Costs | None = None) -> None:
        self.beliefs, self.others = tuple(beliefs), others

    @property
    def metrics(self) -> Collection[str]:
        """See ``Costs``."""
        return [*(belief.name for belief in self.beliefs), *(() if self.others is None else self.others.metrics)]

    def of(self, architectures: Sequence[Architecture]) -> Mapping[str, Array]:
        """See ``Costs``; of beliefs normal scores, larger is better in the source."""
        others = {} if self.others is None else self.others.of(architectures)
        return {**others, **{belief.name: belief(architectures) for belief in self.beliefs}}

    @property
    def promising(self) -> Mapping[str, Sequence[Architecture]]:
        """See ``Promises``."""
        return {belief.name: belief.promising for belief in self.beliefs}
