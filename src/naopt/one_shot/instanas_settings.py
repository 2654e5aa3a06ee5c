"""Settings of InstaNAS. Imports no torch."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from naopt.configuration import PresetSettings
from naopt.one_shot.settings import OneShotSettings

Stage = Literal["pretraining", "joint", "tuning"]


class InstaNASSettings(OneShotSettings, PresetSettings):
    """Settings of InstaNAS; ``preset=paper`` holds those of the paper and of its authors' program."""

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "default": {},
        "paper": {
            "epochs": 1100,
            "pretraining": 0.2727,
            "joint": 0.4546,
            "estimator": "reinforce",
            "reward": "window",
            "baseline": "greedy",
            "samples": 1,
            "learns_from": "train",
            "exploration": 0.8,
            "entropy_weight": 0.8,
            "controller_learning_rate": 5e-4,
            "controller_layers": 3,
            "conditioned": False,
            "classifies": False,
            "permuted": True,
        },
    }

    preset: Literal["default", "paper"] = "default"
    """Named values."""
    epochs: int = Field(150, ge=3)
    """Passes over the training data, of all three stages together."""
    optimiser: Literal["sgd", "adam"] = "adam"
    """Of the meta-graph: Adam, since each operation is on few paths, or SGD with the training settings' momentum."""
    learning_rate: float | None = Field(0.01, gt=0)
    """Of the meta-graph at the first step; if unset, that of the training settings."""
    pretraining: float = Field(0.5, gt=0, lt=1)
    """Share of the epochs in which the meta-graph is trained on random paths."""
    joint: float = Field(0.15, gt=0, lt=1)
    """Share of the epochs in which controller and meta-graph learn in turn; in the rest the controller is frozen."""
    operation_drop: float = Field(0.9, ge=0, lt=1)
    """In pretraining each operation of an image is dropped with a probability that is drawn for it from 0 to this."""
    permuted: bool = False
    """In the joint search the controller's policies are permuted over the batch before the meta-graph learns from it
    (the paper): it cannot adapt to who gets which. Else each image is trained on its own."""
    joint_rate: float = Field(0.3, gt=0)
    """Learning rate of the meta-graph where the joint search begins, as a part of that of the pretraining."""
    tuning_rate: float = Field(0.3, gt=0)
    """The same where fine-tuning begins. In each stage the rate falls by a cosine."""
    tuned_for: float | None = Field(None, gt=0)
    """Mean latency, as a part of the whole meta-graph's, for which the network is fine-tuned: more accurate there, and
    less elsewhere. By default it is fine-tuned for all operating points."""
    controller_width: int = Field(8, ge=1)
    """Channels of the controller's first convolution; each further one has twice as many."""
    controller_layers: int = Field(3, ge=1, le=6)
    """The controller's convolutions, of stride 2 each."""
    controller_hidden: int = Field(32, ge=1)
    """Units of its hidden layer."""
    controller_learning_rate: float = Field(0.01, gt=0)
    """Of the controller's Adam."""
    classifies: bool = True
    """The controller learns to classify while the meta-graph is pretrained, decides by what it believes and how sure it
    is, and has features that do not change after that."""
    fuses: bool = True
    """What it believes, as logits, is added to what the path says: it was computed anyway."""
    alone: float = Field(0.5, ge=0, le=1)
    """What the loss of a path without these beliefs counts in its training, that with them counting the rest: on images
    that the controller knows by heart there is little left to learn beside it."""
    learns_from: Literal["held-out", "train", "valid"] = "held-out"
    """Which images the controller learns from: training images that the meta-graph does not see before fine-tuning, for
    on what it knows by heart all paths look good; those of the meta-graph's own step (the authors' program); or
    validation images, where there are few images in all: what is measured on them is then no longer unseen."""
    held_out: float = Field(0.3, gt=0, lt=1)
    """Share of the training images that are held out, if it learns from such."""
    reward: Literal["price", "window"] = "price"
    """What an image's path is worth: its log-likelihood less what it costs times a price, or what the paper has, a
    parabola over a window of costs if the image is classified correctly."""
    conditioned: bool = True
    """The controller is told how thrifty to be, so that one search gives all operating points: the logarithm of the
    price, or the window, follows it. Else there is one operating point, and the window slides down in the search, as
    in the paper."""
    price_low: float = Field(0.01, gt=0)
    """Nats that the whole meta-graph's cost counts where thrift is 0."""
    price_high: float = Field(10.0, gt=0)
    """And where it is 1; between the two the logarithm is linear."""
    window_first: float = Field(0.8, gt=0)
    """Middle of the window of costs, as a part of the whole meta-graph's, where thrift is 0."""
    window_last: float = Field(0.3, gt=0)
    """And where it is 1."""
    window_width: float = Field(0.4, gt=0)
    """Distance of its bounds."""
    positive_weight: float = 30.0
    """What a correct image counts in the window's middle (the authors' program: 30)."""
    negative_weight: float = 0.0
    """What a wrong one counts (0)."""
    latency_power: float = Field(1.0, gt=0)
    """Power of the parabola."""
    estimator: Literal["gates", "reinforce"] = "gates"
    """How the gradient of the expected reward is found: by what the output of each operation would change, whether it
    is active or not (straight-through, Bengio et al. 2013; for the price only), or from the rewards of sampled paths,
    as in the paper."""
    samples: int = Field(4, ge=1)
    """Paths of each image that are rewarded in a step of the controller."""
    baseline: Literal["others", "greedy"] = "others"
    """What an image's reward is compared with: the mean of the image's other samples, or the path that the controller
    would take, its probabilities thresholded (self-critical; the paper)."""
    exploration: float = Field(0.9, gt=0.5, le=1)
    """a: sampled are a p + (1 - a)(1 - p), so that no operation is ever certain (0.8 in the paper)."""
    entropy_weight: float = Field(0.001, ge=0)
    """What a nat of a decision's mean entropy is worth, in the unit of the rewards' deviation (0.8 in the paper)."""
    costs: Literal["multiply-adds", "measured"] = "multiply-adds"
    """Where the table of the operations' costs comes from: closed forms, or this machine's clock, once, as the search
    begins. With a clock two searches with one seed may differ; a resumed one does not, as the table is kept."""
    cost_batch: int = Field(16, ge=1)
    """Images at a time when operations are timed."""

    @model_validator(mode="after")
    def _check(self) -> InstaNASSettings:
        if self.pretraining + self.joint >= 1:
            raise ValueError("with that of joint the share of pretraining must be below 1: fine-tuning needs the rest")
        if self.estimator == "reinforce" and self.baseline == "others" and self.samples < 2:
            raise ValueError("baseline=others needs at least 2 samples of each image")
        if self.estimator == "gates" and self.reward == "window":
            raise ValueError("estimator=gates needs a reward with a derivative: reward=price")
        if self.estimator == "gates" and self.baseline == "greedy":
            raise ValueError("baseline=greedy is for estimator=reinforce: gates need none")
        if self.tuned_for is not None and not self.conditioned:
            raise ValueError("tuned_for needs conditioned: without it there is one operating point")
        if self.price_high < self.price_low:
            raise ValueError("price_high must be at least price_low")
        if self.window_last > self.window_first:
            raise ValueError("window_last must be at most window_first")
        return self

    @property
    def begins(self) -> tuple[int, int]:
        """The first epoch of the joint search, and of fine-tuning; each stage has at least one."""
        first = min(max(1, round(self.pretraining * self.epochs)), max(1, self.epochs - 2))
        second = min(max(first + 1, round((self.pretraining + self.joint) * self.epochs)), max(2, self.epochs - 1))
        return first, second

    def stage(self, epoch: float) -> tuple[Stage, float]:
        """Stage of a time in epochs, and the fraction of the stage that is done."""
        first, second = self.begins
        if epoch < first:
            return "pretraining", epoch / first
        if epoch < second:
            return "joint", (epoch - first) / (second - first)
        return "tuning", min((epoch - second) / (self.epochs - second), 1.0)
