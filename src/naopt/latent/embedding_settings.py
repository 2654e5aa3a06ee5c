"""Settings of the default latent model."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from naopt.configuration import Settings


class EmbeddingSettings(Settings):
    """How the embedding, its decoder and the Gaussian process on it are built; see ``EmbeddingModel``."""

    embedding: Literal["components", "learned"] = "components"
    """What the encoder is: principal components of what a cell computes, or a neural network that adds to them and was
    trained to keep what it computes through a narrow and noisy code. Neither sees a label."""
    unlabelled: int = Field(4000, ge=1)
    """How many random architectures of the space the auto-encoder may also learn from. They cost no query."""
    pretraining_steps: int | None = Field(None, ge=0)
    """Steps on unlabelled architectures of the space before any label is seen; if null 600 of the decoder and,
    with `embedding=learned`, 1,200 of the encoder."""
    decoder_size: int = Field(256, ge=1, le=8192)
    """Hidden units of the decoder."""
    decoder_noise: float = Field(1.0, ge=0)
    """Half of the points that the decoder learns from get normal noise of up to so many standard deviations of the
    embedding."""
    normalisation: Literal["yeo-johnson", "rank", "min-max", "standard"] | None = None
    """Targets: the likeliest power of the scores, normal scores of their ranks, the pool's range mapped to [0, 1], or
    zero mean and unit variance; if unset the first, and with several objectives or `history` of other tasks the
    second."""
    mean: Literal["estimated", "zero"] | None = None
    """What the Gaussian process returns to far from what was measured: the generalised least-squares mean of the
    targets, in which many measurements of one region count as few, or the mean of what was measured; if unset the
    first, and with several objectives the second."""
    kernel: Literal["rbf", "matern"] = "rbf"
    """Kernel of the Gaussian process on each block of the embedding."""
    refit_growth: float = Field(1.1, ge=1)
    """The process' parameters are fitted anew each time the measurements have grown by this factor; in between it
    learns from every measurement with the parameters it has."""
    best: Literal["expected", "measured"] | None = None
    """What expected improvement is over: the best that the process expects of what was measured, because a measurement
    may be luck, or the best measurement; if unset the first, and under limits on known costs the second."""
