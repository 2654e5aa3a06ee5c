"""The registry of models with the built-in ones in it, under the names that ``naopt quality`` knows."""

from __future__ import annotations

from typing import Any

from naopt.latent import baselines as _baselines  # noqa: F401  (registers itself)
from naopt.latent.base import create_model, models
from naopt.latent.embedding_model import EmbeddingModel
from naopt.latent.embedding_settings import EmbeddingSettings
from naopt.latent.model import LatentModel
from naopt.latent.settings import LatentSettings, TNAOLatentSettings
from naopt.spaces import SearchSpace

__all__ = [
    "create_model",
    "default_model",
    "joint_model",
    "models",
    "official_model",
    "paper_model",
    "tnao_model",
]


_WHERE = "model setting"


@models.register("nao")
def default_model(space: SearchSpace, seed: int, **settings: Any) -> EmbeddingModel:  # noqa: ARG001 - not random
    """The default latent model: an embedding learned without labels, and a Gaussian process on it."""
    return EmbeddingModel(space, EmbeddingSettings.parse(settings, _WHERE))


@models.register("joint")
def joint_model(space: SearchSpace, seed: int, **settings: Any) -> LatentModel:
    """The jointly fitted model with settings of ours: canonical forms, pretraining, rank targets."""
    return _joint(space, seed, "default", settings)


@models.register("paper")
def paper_model(space: SearchSpace, seed: int, **settings: Any) -> LatentModel:
    """The latent model as the NAO paper describes it."""
    return _joint(space, seed, "paper", settings)


@models.register("official")
def official_model(space: SearchSpace, seed: int, **settings: Any) -> LatentModel:
    """The latent model with the choices of the official program."""
    return _joint(space, seed, "official", settings)


@models.register("tnao")
def tnao_model(space: SearchSpace, seed: int, **settings: Any) -> LatentModel:
    """The latent model of TNAO: Transformer auto-encoder, predictor that learns the order."""
    return LatentModel(space, TNAOLatentSettings.parse({"held_out": 0} | settings, _WHERE), seed)


def _joint(space: SearchSpace, seed: int, preset: str, settings: dict[str, Any]) -> LatentModel:
    return LatentModel(space, LatentSettings.parse({"preset": preset, "held_out": 0} | settings, _WHERE), seed)
