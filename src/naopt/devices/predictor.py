"""Predicts the time of a network from the times of single operations, and what fusing and memory change of their sum.

Imports no torch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from naopt.networks.costs.layers import VIEWS, Layer

Key = tuple[Layer, tuple[tuple[int, int, int], ...]]
"""A layer, its places forgotten, and the shapes of what it reads."""

Floats = NDArray[np.float64]

KINDS = ("conv", "deep", "norm", "relu", "pool", "add", "concat", "rest")
MODELS: Mapping[str, tuple[str, ...]] = {
    "sum": ("sum",),
    "sum, count": ("sum", "count", "one"),
    "sum, count, memory": ("sum", "count", "written", "macs", "one"),
    "kinds": (*KINDS, "one"),
    "kinds, memory": (*KINDS, "count", "written", "macs", "one"),
}
"""What a prediction is a sum of, with weights that are not negative; cross-validation chooses."""


def operations(layers: Sequence[Layer]) -> list[Key]:
    """The single operations of a network, views left out."""
    return [
        (_placeless(layer), tuple(layers[source].shape for source in layer.sources))
        for layer in layers
        if layer.kind not in VIEWS
    ]


def _placeless(layer: Layer) -> Layer:
    return Layer(
        layer.kind, tuple(range(len(layer.sources))), layer.shape, layer.reads, layer.kernel, layer.stride,
        layer.padding, layer.dilation, layer.groups, layer.shift, layer.ceil,
    )  # fmt: skip


def kind_of(layer: Layer) -> str:
    """The group whose operations take like shares of their own time within a network."""
    if layer.kind == "conv":
        return "deep" if layer.groups > 1 else "conv"
    if layer.kind in ("max", "avg"):
        return "pool"
    return layer.kind if layer.kind in KINDS else "rest"


def _size(key: Key) -> tuple[float, float, float]:
    layer, shapes = key
    return 1.0, float(layer.macs), float(layer.activations + sum(math.prod(shape) for shape in shapes))


class Predictor:
    """Times of single operations, and the correction of their sum.

    An operation that was not timed takes what the timed ones of its group say of its multiply-adds and of the numbers
    it reads and writes.

    Args:
        times: of single operations, in ms.
        model: name in ``MODELS``.
        weights: of its parts.
    """

    def __init__(self, times: Mapping[Key, float], model: str = "sum", weights: Sequence[float] = (1.0,)) -> None:
        self.times, self.model, self.weights = dict(times), model, np.array(weights, dtype=np.float64)
        self._rates: dict[str, Floats] = {}
        for kind in {kind_of(key[0]) for key in times}:
            keys = [key for key in times if kind_of(key[0]) == kind]
            self._rates[kind] = _relative_fit(
                np.array([_size(key) for key in keys]), np.array([times[k] for k in keys])
            )
        self._rest = _relative_fit(np.array([_size(key) for key in times]), np.array(list(times.values())))

    def time(self, key: Key) -> float:
        """Of a single operation, in ms."""
        known = self.times.get(key)
        if known is not None:
            return known
        return float(self._rates.get(kind_of(key[0]), self._rest) @ np.array(_size(key)))

    def parts(self, networks: Sequence[Sequence[Layer]]) -> dict[str, Floats]:
        """What networks' times are made of, by name ``(n,)``."""
        rows = []
        for layers in networks:
            row = dict.fromkeys((*KINDS, "written", "macs"), 0.0)
            keys = operations(layers)
            for key in keys:
                row[kind_of(key[0])] += self.time(key)
                row["written"] += key[0].activations / 1e6
                row["macs"] += key[0].macs / 1e6
            rows.append({**row, "sum": sum(row[kind] for kind in KINDS), "count": len(keys) / 1e3, "one": 1.0})
        return {name: np.array([row[name] for row in rows]) for name in rows[0]}

    def predict(self, networks: Sequence[Sequence[Layer]]) -> Floats:
        """Milliseconds ``(n,)`` of at least one network."""
        times: Floats = self._columns(self.parts(networks), self.model) @ self.weights
        return times

    @staticmethod
    def _columns(parts: Mapping[str, Floats], model: str) -> Floats:
        return np.stack([parts[name] for name in MODELS[model]], axis=1)

    def fitted(
        self, networks: Sequence[Sequence[Layer]], measured: Floats, folds: int = 10
    ) -> tuple[Predictor, Floats]:
        """The correction whose median relative error is smallest in cross-validation.

        Returns:
            The predictor, and what the other folds predict of each network.
        """
        parts, best = self.parts(networks), (math.inf, "sum", measured)
        fold = np.arange(len(measured)) % folds
        for model in MODELS:
            columns, guess = self._columns(parts, model), np.zeros(len(measured))
            for out in range(folds):
                inside = fold != out
                guess[~inside] = columns[~inside] @ _relative_fit(columns[inside], measured[inside])
            error = float(np.median(np.abs(guess / measured - 1)))
            if error < best[0]:
                best = error, model, guess
        weights = _relative_fit(self._columns(parts, best[1]), measured)
        return Predictor(self.times, best[1], weights.tolist()), best[2]


def _relative_fit(columns: Floats, values: Floats) -> Floats:
    """Weights that are not negative and make the squares of relative errors least."""
    from scipy.optimize import nnls

    rows = columns / values[:, None]
    scale = np.maximum(np.abs(rows).max(axis=0), 1e-30)
    weights: Floats = nnls(rows / scale, np.ones(len(values)))[0]
    return np.asarray(weights / scale, dtype=np.float64)
