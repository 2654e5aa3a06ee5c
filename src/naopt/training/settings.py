"""Settings of the training of image classifiers. Imports no torch."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from naopt.networks.settings import NetworkSettings
from naopt.tasks.options import Alpha, ImageOptions

Precision = Literal["float32", "bfloat16", "float16", "auto"]


class TrainingSettings(NetworkSettings):
    """How a child network is built and trained: SGD with a schedule per step.

    The defaults are those of NAO's CIFAR-10 search phase (official script: 25 epochs, batch 128, N = 3, F = 32,
    L2 5e-4, clip 5), except that the cosine ends at the last epoch (there it was cut after a quarter), that label
    smoothing is added, and that drop-path and auxiliary head are off; a task's ``recipe`` overrides them.

    Attributes:
        epochs: passes over the training images.
        batch_size: images a step; at least 2, for batch normalisation.
        learning_rate: at the first step.
        min_learning_rate: what a cosine falls to.
        schedule: ``cosine``; ``restarts``, cosines one after the other (Loshchilov & Hutter 2017); or ``step``, times
            ``step_factor`` after each epoch.
        cosine_epochs: after how many epochs the cosine ends; null for the last.
        restart_epochs: T_0, the length of the first cosine of ``restarts``.
        restart_factor: T_mul, how much longer each cosine is than the one before it.
        step_factor: see ``schedule``.
        momentum: of SGD.
        nesterov: whether the momentum is Nesterov's.
        weight_decay: L2 coefficient, on all parameters; the gradient of ``weight_decay / 2`` times the squared norm.
        label_smoothing: mass that is spread over all classes.
        clip_norm: bound of the gradient's global norm; 0 switches clipping off.
        normalisation: of pixels, by each channel's mean and deviation over the training images (``dataset``, PyTorch
            port), or by each image's own (``image``, the TensorFlow program's standardisation).
        image_size: side to which images are resized; null leaves them as they are.
        alpha: what transparent images in files are put on; ``ignore`` leaves the colours as they are stored.
        parts: which folders of images are parts: empty to tell by their names, ``none`` if every folder is a class,
            else ``train:FOLDER,valid:FOLDER,test:FOLDER``, of which all but ``train`` may be left out.
        stream: read images from their files batch by batch, in random crops of ``image_size``, instead of keeping
            them all in memory: for ImageNet.
        crop_padding: pixels by which an image is shifted at most, in each direction.
        flip: mirror half of the images.
        rotation: largest angle, in degrees, by which an image is turned either way.
        zoom: largest fraction by which an image is enlarged or made smaller; 0.1 is 10 %.
        cutout: side of the square that is blanked out, in pixels; 0 switches it off.
        colour_jitter: largest relative change of brightness, contrast and saturation, and of hue in turns; only with
            ``stream``.
        train_limit: train on that many images at most, stratified by class.
        valid_limit: validate on that many images at most, stratified by class.
        folds: in a search, train so many networks, each on all training and validation images but its share of them, on
            which it is measured: all images count, for so many times the cost. 1 is the task's own split.
        precision: of the arithmetic in forward and backward pass; ``auto`` times the device's and takes what is
            clearly faster.
        channels_last: give the network its images channels last on every device; on CPUs they always are.
        compile: compile the network with ``torch.compile``.
    """

    epochs: int = Field(default=25, ge=1)
    batch_size: int = Field(default=128, ge=2)
    learning_rate: float = Field(default=0.025, gt=0)
    min_learning_rate: float = Field(default=0.0, ge=0)
    schedule: Literal["cosine", "restarts", "step"] = "cosine"
    cosine_epochs: int | None = Field(default=None, ge=1)
    restart_epochs: int = Field(default=10, ge=1)
    restart_factor: int = Field(default=2, ge=1)
    step_factor: float = Field(default=0.97, gt=0, le=1)
    momentum: float = Field(default=0.9, ge=0, lt=1)
    nesterov: bool = True
    weight_decay: float = Field(default=5e-4, ge=0)
    label_smoothing: float = Field(default=0.1, ge=0, lt=1)
    clip_norm: float = Field(default=5.0, ge=0)
    normalisation: Literal["dataset", "image"] = "dataset"
    image_size: int | None = Field(default=None, ge=1, le=4096)
    alpha: Alpha = "white"
    parts: str = ""
    stream: bool = False
    crop_padding: int = Field(default=4, ge=0)
    flip: bool = True
    rotation: float = Field(default=0.0, ge=0, le=180)
    zoom: float = Field(default=0.0, ge=0, lt=1)
    cutout: int = Field(default=0, ge=0)
    colour_jitter: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    train_limit: int | None = Field(default=None, ge=2)
    valid_limit: int | None = Field(default=None, ge=1)
    folds: int = Field(default=1, ge=1, le=100)
    precision: Precision = "float32"
    channels_last: bool = False
    compile: bool = False

    @property
    def image_options(self) -> ImageOptions:
        """How image files are read."""
        return ImageOptions(self.image_size, self.alpha, self.parts)

    @model_validator(mode="after")
    def _check(self) -> TrainingSettings:
        if self.cosine_epochs is not None and self.cosine_epochs < self.epochs:
            raise ValueError(f"cosine_epochs {self.cosine_epochs} must not be less than epochs {self.epochs}")
        if self.stream and self.image_size is None:
            raise ValueError("stream needs image_size")
        if self.stream and self.folds > 1:
            raise ValueError("folds needs images in memory, not stream")
        if any(self.colour_jitter) and not self.stream:
            raise ValueError("colour_jitter needs stream")
        if any(not 0 <= strength <= limit for strength, limit in zip(self.colour_jitter, (1, 1, 1, 0.5), strict=True)):
            raise ValueError("colour_jitter must be in 0..1 for brightness, contrast, saturation and 0..0.5 for hue")
        return self
