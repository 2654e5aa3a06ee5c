"""What every performance model offers, latent or not: fit on measured architectures, predict others."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from naopt.registry import Registry
from naopt.spaces import Architecture, SearchSpace, Tokens

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class PerformanceModel(ABC):
    """Predicts scores (larger is better) of architectures of one space; latent models also encode and decode."""

    @abstractmethod
    def fit(self, architectures: Sequence[Architecture], scores: NDArray[np.float64]) -> dict[str, float]:
        """Fits on ``n >= 1`` architectures and their finite scores ``(n,)``, from scratch; returns losses by name."""

    @abstractmethod
    def predict(self, architectures: Sequence[Architecture]) -> NDArray[np.float64]:
        """Scores ``(n,)``, in the unit of those it was fitted on."""

    def reconstruct(self, architectures: Sequence[Architecture]) -> list[Tokens] | None:  # noqa: ARG002
        """Tokens decoded from each architecture's embedding, against the model's own input form of it.

        ``None`` for a model that has no decoder.
        """
        return None

    def presented(self, architectures: Sequence[Architecture]) -> list[Tokens]:
        """The token sequences that the model encodes for these architectures (canonical ones, for instance)."""
        return [architecture.tokens for architecture in architectures]


models: Registry[Callable[[SearchSpace, int], PerformanceModel]] = Registry("model", "naopt.models")
"""Model names to factories ``(space, seed) -> model``."""
