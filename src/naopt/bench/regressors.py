"""Regression models of surrogate benchmarks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Regressor(Protocol):
    """What scikit-learn's regressors are."""

    def fit(self, features: NDArray[np.float32], targets: NDArray[np.float64]) -> Any:
        """Fits ``(n, columns)`` to ``(n,)``."""

    def predict(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """``(n,)`` of ``(n, columns)``."""


def _gbdt(rows: int, seed: int) -> Regressor:
    from sklearn.ensemble import HistGradientBoostingRegressor

    model: Regressor = HistGradientBoostingRegressor(
        max_iter=400,
        learning_rate=0.06,
        max_features=0.3,
        min_samples_leaf=max(2, min(20, rows // 20)),
        early_stopping=False,
        random_state=seed,
    )
    return model


def _forest(rows: int, seed: int) -> Regressor:  # noqa: ARG001
    from sklearn.ensemble import ExtraTreesRegressor

    model: Regressor = ExtraTreesRegressor(n_estimators=100, min_samples_leaf=2, max_features=0.3, random_state=seed)
    return model


SURROGATE_MODELS: dict[str, Callable[[int, int], Regressor]] = {"gbdt": _gbdt, "forest": _forest}
"""Name to a function from the number of rows and a seed to a regressor."""
