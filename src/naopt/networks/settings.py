"""Settings of networks and of their training. Imports no torch."""

from __future__ import annotations

from pydantic import Field

from naopt.configuration import Settings


class NetworkSettings(Settings):
    """The skeleton that cells are put into (NAO, appendix; official program).

    Attributes:
        cells_per_stage: N; the network has 3 N cells and two reductions (3 N + 2 cells in all for ``conv-cell``).
        filters: F, the channels of the first stage's cells; doubled by each reduction.
        drop_path_keep: probability that a branch of the last cell survives at the end of training; 1 switches it off.
        dropout: probability that a feature is dropped before the classifier.
        auxiliary_weight: weight of the auxiliary classifier's loss; 0 builds none.
        head_relu: ReLU before global pooling, as in the official TensorFlow program; the PyTorch port has none.
    """

    cells_per_stage: int = Field(default=3, ge=1, le=100)
    filters: int = Field(default=32, ge=2, le=4096)
    drop_path_keep: float = Field(default=1.0, gt=0, le=1)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    auxiliary_weight: float = Field(default=0.0, ge=0)
    head_relu: bool = True


class TrainingSettings(NetworkSettings):
    """How a child network is built and trained: SGD with a cosine schedule per step.

    The defaults are those of NAO's CIFAR-10 search phase (official script: 25 epochs, batch 128, N = 3, F = 32,
    L2 5e-4, clip 5), except that the cosine ends at the last epoch (there it was cut after a quarter), that label
    smoothing is added, and that drop-path and auxiliary head are off; a task's ``recipe`` overrides them.

    Attributes:
        epochs: passes over the training images.
        batch_size: images a step; at least 2, for batch normalisation.
        learning_rate: at the first step.
        min_learning_rate: what the cosine falls to.
        momentum: of SGD.
        nesterov: whether the momentum is Nesterov's.
        weight_decay: L2 coefficient, on all parameters.
        label_smoothing: mass that is spread over all classes.
        clip_norm: bound of the gradient's global norm; 0 switches clipping off.
        crop_padding: pixels by which an image is shifted at most, in each direction.
        flip: mirror half of the images.
        rotation: largest angle, in degrees, by which an image is turned either way.
        zoom: largest fraction by which an image is enlarged or made smaller; 0.1 is 10 %.
        cutout: side of the square that is blanked out, in pixels; 0 switches it off.
        train_limit: train on that many images at most, stratified by class.
        valid_limit: validate on that many images at most, stratified by class.
    """

    epochs: int = Field(default=25, ge=1)
    batch_size: int = Field(default=128, ge=2)
    learning_rate: float = Field(default=0.025, gt=0)
    min_learning_rate: float = Field(default=0.0, ge=0)
    momentum: float = Field(default=0.9, ge=0, lt=1)
    nesterov: bool = True
    weight_decay: float = Field(default=5e-4, ge=0)
    label_smoothing: float = Field(default=0.1, ge=0, lt=1)
    clip_norm: float = Field(default=5.0, ge=0)
    crop_padding: int = Field(default=4, ge=0)
    flip: bool = True
    rotation: float = Field(default=0.0, ge=0, le=180)
    zoom: float = Field(default=0.0, ge=0, lt=1)
    cutout: int = Field(default=0, ge=0)
    train_limit: int | None = Field(default=None, ge=2)
    valid_limit: int | None = Field(default=None, ge=1)
