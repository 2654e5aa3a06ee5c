"""Settings that all weight-sharing searchers have. Imports no torch."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from naopt.configuration import Settings


class OneShotSettings(Settings):
    """How shared weights are trained and read.

    What is not said here (batch size, momentum, weight decay, clipping, augmentation, width and depth of the network)
    comes from the training settings, those by which children are trained stand-alone.
    """

    weights: Literal["edge", "branch", "node"] = "edge"
    """What has operations with weights of its own: each input of a node (edge), each input of either of its branches
    (branch; the official programs), or each node whatever its input (node). The branches of a node of a recurrent cell
    are its activations."""
    numbering: Literal["canonical", "written"] = "canonical"
    """By which number of a node it has its weights: that in the canonical form, so that equal architectures share all
    of them however they are written; or that of the written form (the programs of ENAS and NAO-WS), where one
    architecture has as many paths as spellings."""
    draws: int = Field(3, ge=1)
    """Where random paths are trained, one is the richest in weights of so many uniform ones: what has no weights needs
    no training, and what has is otherwise too seldom on the path to be judged by. 1 is plain uniform sampling."""
    epochs: int = Field(60, ge=1)
    """Passes over the training data; the programs of ENAS and NAO-WS take 150."""
    learning_rate: float | None = Field(None, gt=0)
    """At the first step of a cosine; if unset, that of the training settings."""
    optimiser: Literal["sgd", "adam"] = "sgd"
    """Of the shared weights: SGD with the momentum of the training settings (all published programs), or Adam, which
    needs fewer steps where each operation is seldom on the path. It wants a learning rate of its own, about 0.01."""
    affine: bool = True
    """Normalisations in the cells of a supernet for images learn a scale and an offset, as those of children do. Else
    these stay at 1 and 0, so that no operation can rescale what a mixture weighs (DARTS)."""
    normalise_pools: bool = False
    """Pools in the cells of a supernet for images are followed by a normalisation without scale and offset (DARTS). The
    children have none: an architecture with a pool then inherits no weights."""
    normalise_states: bool = False
    """States of recurrent cells are normalised by their batch (DARTS). Those of children are not: architectures then
    inherit no weights."""
    statistics: Literal["batch", "recalibrated"] = "batch"
    """How a path is normalised when it is measured: by the statistics of the measured batch (NAO, ENAS), or by those of
    training images, gathered anew for each path. Those gathered in training are of all paths at once, and of no use."""
    recalibration_batches: int = Field(4, ge=1)
    """Training batches for one path's statistics, where they are recalibrated."""
    score_by: Literal["loss", "accuracy"] = "loss"
    """What ranks paths on images: cross entropy, which tells them apart sooner and with fewer images, or accuracy. Text
    has perplexity."""
    score_batch: int = Field(500, ge=2)
    """Images of one batch when paths are measured; all paths see the same batches. For text it is the training
    settings' valid_batch_size."""
    rollbacks: int = Field(3, ge=0)
    """How often, at most, diverged weights go back to the last good epoch, with half the learning rate from then on."""
