"""What every performance model offers, latent or not: fit on measured architectures, predict others."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from inspect import Parameter, signature
from typing import TYPE_CHECKING

from naopt.configuration import parse_settings
from naopt.errors import InputError
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


models: Registry[Callable[..., PerformanceModel]] = Registry("model", "naopt.models")
"""Model names to factories ``(space, seed) -> model``; one that takes ``**settings`` too can be given some by name."""


def create_model(name: str, space: SearchSpace, seed: int) -> PerformanceModel:
    """The model that ``NAME`` or ``NAME:KEY=VALUE,...`` means, as in ``paper:augmentation=none``.

    Args:
        name: of the registry, and settings, separated by commas, in place of its own.
        space: of the architectures.
        seed: non-negative.

    Raises:
        UnknownNameError: no such model, or no such setting.
        InputError: a model without settings, or a value that breaks a rule.
    """
    own, colon, assignments = name.partition(":")
    factory = models.get(own)
    if not colon:
        return factory(space, seed)
    if all(p.kind is not Parameter.VAR_KEYWORD for p in signature(factory).parameters.values()):
        raise InputError("model", name, f"{own} has no settings")
    return factory(space, seed, **parse_settings(assignments))
