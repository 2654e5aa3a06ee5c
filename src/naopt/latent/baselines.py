"""Performance models without a latent space, to compare with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from naopt.latent.base import PerformanceModel, models
from naopt.spaces import Architecture, SearchSpace, Tokens

if TYPE_CHECKING:
    from numpy.typing import NDArray

_TREES, _RATE, _DEPTH, _SHARE = 300, 0.05, 5, 0.7


@models.register("boosted-trees")
class BoostedTreesModel(PerformanceModel):
    """Gradient-boosted regression trees on one-hot tokens, the predictor of GBDT-NAS (Luo et al. 2020, section 3).

    Departures: scikit-learn's stochastic gradient boosting stands in for LightGBM, whose 31-leaf trees need more than
    the hundred architectures of a first round, with 300 trees of depth 5 on 70 % of the rows each; tokens are those of
    the canonical form.

    Args:
        space: of the architectures.
        seed: non-negative; of the rows and splits that a tree sees.
    """

    def __init__(self, space: SearchSpace, seed: int) -> None:
        self._space, self._seed = space, seed
        self._trees: Any = None

    def fit(self, architectures: Sequence[Architecture], scores: NDArray[np.float64]) -> dict[str, float]:
        """Fits the trees from scratch; returns the mean squared error on what they were fitted on."""
        from sklearn.ensemble import GradientBoostingRegressor

        features = self._one_hot(architectures)
        trees = GradientBoostingRegressor(
            n_estimators=_TREES,
            learning_rate=_RATE,
            max_depth=_DEPTH,
            subsample=_SHARE if len(features) > 1 else 1.0,
            random_state=self._seed,
        )
        self._trees = trees.fit(features, scores)
        return {"mean_squared_error": float(np.mean((trees.predict(features) - scores) ** 2))}

    def predict(self, architectures: Sequence[Architecture]) -> NDArray[np.float64]:
        """Scores ``(n,)``. Raises ``RuntimeError`` before the first ``fit``."""
        if self._trees is None:
            raise RuntimeError("predict needs a model that was fitted")
        return np.asarray(self._trees.predict(self._one_hot(architectures)), dtype=np.float64)

    def presented(self, architectures: Sequence[Architecture]) -> list[Tokens]:
        """Canonical tokens."""
        return [self._space.canonical(architecture.tokens) for architecture in architectures]

    def _one_hot(self, architectures: Sequence[Architecture]) -> NDArray[np.float32]:
        """``(n, sum of the numbers of choices)``."""
        tokens = np.array(self.presented(architectures), dtype=np.int64)
        return np.concatenate(
            [
                np.eye(len(position.choices), dtype=np.float32)[tokens[:, index]]
                for index, position in enumerate(self._space.positions)
            ],
            axis=1,
        )
