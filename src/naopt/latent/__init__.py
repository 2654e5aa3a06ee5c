"""The learned continuous space: encoder, predictor, decoder, and moves uphill in it.

Its settings are read by the command line, so the package itself imports no torch; the rest is loaded on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from naopt.latent.embedding_settings import EmbeddingSettings
from naopt.latent.settings import LATENT_PRESETS, LatentSettings

if TYPE_CHECKING:
    from naopt.latent.ascent import GradientAscent
    from naopt.latent.base import PerformanceModel, create_model, models
    from naopt.latent.baselines import BoostedTreesModel, GaussianProcessModel
    from naopt.latent.embedding_model import EmbeddingModel
    from naopt.latent.gaussian_process import GaussianProcess
    from naopt.latent.model import LatentModel

__all__ = [
    "LATENT_PRESETS",
    "BoostedTreesModel",
    "EmbeddingModel",
    "EmbeddingSettings",
    "GaussianProcess",
    "GaussianProcessModel",
    "GradientAscent",
    "LatentModel",
    "LatentSettings",
    "PerformanceModel",
    "create_model",
    "models",
]

_HOME = {
    "BoostedTreesModel": "baselines",
    "EmbeddingModel": "embedding_model",
    "GaussianProcess": "gaussian_process",
    "GaussianProcessModel": "baselines",
    "GradientAscent": "ascent",
    "LatentModel": "model",
    "PerformanceModel": "base",
    "create_model": "builtin",
    "models": "builtin",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
