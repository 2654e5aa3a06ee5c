"""The learned continuous space: encoder, predictor, decoder, and moves uphill in it. Imports torch."""

from naopt.latent.ascent import GradientAscent
from naopt.latent.base import PerformanceModel, models
from naopt.latent.baselines import BoostedTreesModel
from naopt.latent.model import LatentModel
from naopt.latent.presets import default_model, official_model, paper_model
from naopt.latent.settings import LATENT_PRESETS, LatentSettings

__all__ = [
    "LATENT_PRESETS",
    "BoostedTreesModel",
    "GradientAscent",
    "LatentModel",
    "LatentSettings",
    "PerformanceModel",
    "default_model",
    "models",
    "official_model",
    "paper_model",
]
