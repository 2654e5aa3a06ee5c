"""A process for one metric, which sees what serves it best."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from naopt.latent.embedding_model import EmbeddingModel
from naopt.latent.embedding_settings import EmbeddingSettings
from naopt.latent.encoding import as_written
from naopt.latent.pretraining import Pretrained
from naopt.latent.priors import Priors
from naopt.latent.schedule import scheduled
from naopt.latent.targets import Targets
from naopt.spaces import Architecture, SearchSpace

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]


_MOST_KEPT = 50_000
_RIDGE = 1.0
_OFTEN, _GROWTH = 50, 1.5
"""Beyond so many measurements it is decided anew only when they have grown by this factor: it costs two fits."""


class WrittenModel(EmbeddingModel):
    """Sees the embedding, and how an architecture is written.

    Parameters, memory and time depend on operations whose outputs nobody reads, too, which the embedding does not know.
    """

    def __init__(self, space: SearchSpace, settings: EmbeddingSettings, priors: Priors | None = None) -> None:
        super().__init__(space, settings, priors)
        self._written: dict[Architecture, Array] = {}
        self._centre = self._slopes = np.empty(0)
        first = space.sample(np.random.default_rng(0))
        self._written_sizes = [group.shape[1] for group in as_written(space, [first])]

    def seen(self, architectures: Sequence[Architecture]) -> Array:
        """See ``EmbeddingModel``; with the columns of ``as_written``."""
        new = [architecture for architecture in dict.fromkeys(architectures) if architecture not in self._written]
        if len(self._written) > _MOST_KEPT:
            self._written, new = {}, list(dict.fromkeys(architectures))
        if new:
            rows = np.concatenate(as_written(self.space, new), axis=1)
            self._written |= dict(zip(new, rows, strict=True))
        if not architectures:
            return np.zeros((0, self._size + sum(self._written_sizes)))
        rows = np.stack([self._written[architecture] for architecture in architectures])
        return np.concatenate([super().seen(architectures), rows], axis=1)

    def blocks(self, points: Array) -> list[Array]:
        """See ``EmbeddingModel``."""
        written = self._size + self._written_sizes[0]
        return [*super().blocks(points[:, : self._size]), points[:, self._size : written], points[:, written:]]

    def learn_trend(self, points: Array, targets: Array) -> None:
        """See ``EmbeddingModel``: a line through the numbers of each choice, by ridge regression.

        A process goes back to its mean beyond what was measured; costs are sums, and go on.
        """
        counts = self._counts(points)
        self._centre = counts.mean(axis=0)
        rows = counts - self._centre
        inner = rows.T @ rows + _RIDGE * np.eye(rows.shape[1])
        self._slopes = np.linalg.solve(inner, rows.T @ (targets - targets.mean()))

    def trend(self, points: Array) -> Array:
        """See ``EmbeddingModel``."""
        found: Array = (self._counts(points) - self._centre) @ self._slopes
        return found

    def _counts(self, points: Array) -> Array:
        first = self._size + self._written_sizes[0]
        return points[:, first : first + self._written_sizes[1]]

    @property
    def _size(self) -> int:
        return self.pretrained.embedding.dimensions


class MetricModel:
    """The process of one metric, on the embedding or on what is written as well.

    Which of them, is decided by how well either foresees each of the first ``m <= n`` measurements from the others,
    ``m`` of a schedule.

    Args:
        space: of the architectures.
        settings: of the embedding.
        made: embedding and decoder of the space.
        priors: see ``EmbeddingModel``.
    """

    def __init__(
        self, space: SearchSpace, settings: EmbeddingSettings, made: Pretrained, priors: Priors | None = None
    ) -> None:
        self._growth = settings.refit_growth
        self._models = EmbeddingModel(space, settings, priors), WrittenModel(space, settings, priors)
        for model in self._models:
            model.share(made)
        self._decided = 0
        self.model: EmbeddingModel = self._models[0]

    def fit(
        self, architectures: Sequence[Architecture], scores: Array, errors: Array | None = None
    ) -> dict[str, float]:
        """Fits it to ``n >= 1`` measurements, of which earlier calls had the first; see ``EmbeddingModel.fit``."""
        count = len(scores)
        count = scheduled(count, self._growth) if count < _OFTEN else scheduled(count, _GROWTH, _OFTEN)
        if count != self._decided:
            self._decided = count
            for model in self._models:
                model.fit(architectures[:count], scores[:count], None if errors is None else errors[:count])
            self.model = max(self._models, key=EmbeddingModel.foreseen)
        return self.model.fit(architectures, scores, errors)

    @property
    def targets(self) -> Targets:
        """The map between scores and targets."""
        return self.model.targets

    def moments(
        self, architectures: Sequence[Architecture], pending: Sequence[Architecture] = ()
    ) -> tuple[Array, Array]:
        """Mean and deviation of the targets ``(n,)``; what is pending turns out as predicted, it believes."""
        if not architectures:
            return np.zeros(0), np.zeros(0)
        believed = self.model.encode(pending) if pending else None
        return self.model.moments(self.model.encode(architectures), believed)

    def slopes(self, points: Array) -> tuple[Array, Array]:
        """Gradients of mean and deviation at points ``(n, dimensions)``, of the process on the embedding alone."""
        return self._models[0].slopes(points)
