"""Performance models without a latent space, to compare with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from naopt.latent.base import PerformanceModel, models
from naopt.latent.encoding import EVERY, POSITIONS, encoded
from naopt.latent.features import together
from naopt.latent.gaussian_process import GaussianProcess
from naopt.latent.kernels import Kernel
from naopt.latent.targets import Normalisation, Targets
from naopt.metrics.scale import mean_squared_difference
from naopt.spaces import Architecture, SearchSpace, Tokens

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CHUNK = 4096


@dataclass(frozen=True)
class BoostedTrees:
    """Gradient-boosted regression trees, by scikit-learn.

    Attributes:
        trees: boosting rounds.
        learning_rate: shrinkage of each tree.
        depth: most splits on a way down; ``None`` for no limit.
        leaves: most leaves of a tree, best splits first; ``None`` for no limit.
        rows: share of the rows that each tree is fitted on.
        columns: share of the columns that each split chooses among.
    """

    trees: int = 300
    learning_rate: float = 0.05
    depth: int | None = 5
    leaves: int | None = None
    rows: float = 0.7
    columns: float = 1.0

    def fit(self, features: NDArray[np.float64], targets: NDArray[np.float64], seed: int) -> Any:
        """A fitted regressor of features ``(n, columns)``, ``n >= 1``, and targets ``(n,)``."""
        from sklearn.ensemble import GradientBoostingRegressor

        trees = GradientBoostingRegressor(
            n_estimators=self.trees,
            learning_rate=self.learning_rate,
            max_depth=self.depth,
            max_leaf_nodes=self.leaves,
            subsample=self.rows if len(features) > 1 else 1.0,
            max_features=self.columns,
            random_state=seed,
        )
        return trees.fit(features.astype(np.float32), targets)


@models.register("boosted-trees")
class BoostedTreesModel(PerformanceModel):
    """Gradient-boosted regression trees, the predictor of GBDT-NAS (Luo et al. 2020, section 3).

    Departures: scikit-learn's stochastic gradient boosting stands in for LightGBM, whose 31-leaf trees need more than
    the hundred architectures of a first round, with 300 trees of depth 5 on 70 % of the rows each; the trees see paths
    from input to output, sizes and neighbourhoods beside one-hot tokens, all of the canonical form; and they learn
    normal scores of the ranks, so that one architecture at chance level does not take up their splits.

    Args:
        space: of the architectures.
        seed: non-negative; of the rows and splits that a tree sees.
        groups: names of ``Features`` that the trees see; the program has ``tokens`` only.
        normalisation: of the targets.
    """

    def __init__(
        self,
        space: SearchSpace,
        seed: int,
        groups: Sequence[str] = ("tokens", "numbers", "paths", "sizes", "local"),
        normalisation: Normalisation = "rank",
    ) -> None:
        self._space, self._seed, self._groups, self._normalisation = space, seed, groups, normalisation
        self._targets: Targets | None = None

    def fit(self, architectures: Sequence[Architecture], scores: NDArray[np.float64]) -> dict[str, float]:
        """Fits the trees from scratch; returns the mean squared error on what they were fitted on."""
        self._targets = Targets.fit(scores, self._normalisation)
        targets = self._targets.transform(scores)
        self._trees = BoostedTrees().fit(self._features(architectures), targets, self._seed)
        return {"mean_squared_error": mean_squared_difference(self.predict(architectures), scores)}

    def predict(self, architectures: Sequence[Architecture]) -> NDArray[np.float64]:
        """Scores ``(n,)``. Raises ``RuntimeError`` before the first ``fit``."""
        if self._targets is None:
            raise RuntimeError("predict needs a model that was fitted")
        parts = [architectures[at : at + _CHUNK] for at in range(0, len(architectures), _CHUNK)]
        found = [self._trees.predict(self._features(part).astype(np.float32)) for part in parts]
        return self._targets.inverse(np.concatenate([np.empty(0), *found]))

    def presented(self, architectures: Sequence[Architecture]) -> list[Tokens]:
        """Canonical tokens."""
        return [self._space.canonical(architecture.tokens) for architecture in architectures]

    def _features(self, architectures: Sequence[Architecture]) -> NDArray[np.float64]:
        return np.concatenate(list(encoded(self._space, architectures, self._groups).values()), axis=1)


@models.register("gp")
class GaussianProcessModel(PerformanceModel):
    """A Gaussian process on groups of features, a kernel each, single positions one; the predictor of ``gp``.

    It learns normal scores of the ranks, and predicts what scores these stand for.

    Args:
        space: of the architectures.
        seed: not used: the fit has no randomness.
        groups: names of ``Features`` that have a kernel each.
        kernel: squared exponential or Matern 5/2.
    """

    def __init__(
        self,
        space: SearchSpace,
        seed: int = 0,  # noqa: ARG002
        groups: Sequence[str] = (*EVERY, POSITIONS),
        kernel: Kernel = "rbf",
    ) -> None:
        self._space, self._groups, self._kernel = space, groups, kernel
        self._targets: Targets | None = None

    def fit(self, architectures: Sequence[Architecture], scores: NDArray[np.float64]) -> dict[str, float]:
        """Fits the process from scratch; returns the variance of the noise, in targets' units."""
        self._targets = Targets.fit(scores, "rank")
        features = self._features(architectures)
        self._process = GaussianProcess(self._kernel, product=together(features))
        self._process.fit(list(features.values()), self._targets.transform(scores))
        return {"noise": self._process.noise}

    def predict(self, architectures: Sequence[Architecture]) -> NDArray[np.float64]:
        """Scores ``(n,)``. Raises ``RuntimeError`` before the first ``fit``."""
        if self._targets is None:
            raise RuntimeError("predict needs a model that was fitted")
        parts = [architectures[at : at + _CHUNK] for at in range(0, len(architectures), _CHUNK)]
        means = [self._process.predict(list(self._features(part).values()))[0] for part in parts]
        return self._targets.inverse(np.concatenate([np.empty(0), *means]))

    def presented(self, architectures: Sequence[Architecture]) -> list[Tokens]:
        """Canonical tokens."""
        return [self._space.canonical(architecture.tokens) for architecture in architectures]

    def _features(self, architectures: Sequence[Architecture]) -> dict[str, NDArray[np.float64]]:
        return encoded(self._space, architectures, self._groups)
