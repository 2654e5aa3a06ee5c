"""The registry of models with the built-in ones in it, under the names that ``naopt quality`` knows."""

from __future__ import annotations

from naopt.latent import baselines as _baselines  # noqa: F401  (registers itself)
from naopt.latent.base import models
from naopt.latent.embedding_model import EmbeddingModel
from naopt.latent.embedding_settings import EmbeddingSettings
from naopt.latent.model import LatentModel
from naopt.latent.settings import LatentSettings, TNAOLatentSettings
from naopt.spaces import SearchSpace

__all__ = ["default_model", "joint_model", "models", "official_model", "paper_model", "tnao_model"]


@models.register("nao")
def default_model(space: SearchSpace, seed: int) -> EmbeddingModel:  # noqa: ARG001 - the fit has no randomness
    """The default latent model: an embedding learned without labels, and a Gaussian process on it."""
    return EmbeddingModel(space, EmbeddingSettings())


@models.register("joint")
def joint_model(space: SearchSpace, seed: int) -> LatentModel:
    """The jointly fitted model with the settings that measured best: canonical forms, pretraining, rank targets."""
    return LatentModel(space, LatentSettings(preset="default", held_out=0), seed)


@models.register("paper")
def paper_model(space: SearchSpace, seed: int) -> LatentModel:
    """The latent model as the NAO paper describes it."""
    return LatentModel(space, LatentSettings(preset="paper", held_out=0), seed)


@models.register("official")
def official_model(space: SearchSpace, seed: int) -> LatentModel:
    """The latent model with the choices of the official program."""
    return LatentModel(space, LatentSettings(preset="official", held_out=0), seed)


@models.register("tnao")
def tnao_model(space: SearchSpace, seed: int) -> LatentModel:
    """The latent model of TNAO: Transformer auto-encoder, predictor that learns the order."""
    return LatentModel(space, TNAOLatentSettings(held_out=0), seed)
