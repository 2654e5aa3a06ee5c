"""Images, as shared weights are trained and measured on them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from naopt.errors import InputError
from naopt.measurement import Goal
from naopt.networks.operations import BatchNorm
from naopt.networks.path import Path
from naopt.networks.supernet import Supernet, path_norms
from naopt.one_shot.data import SharedData, set_training
from naopt.one_shot.settings import OneShotSettings
from naopt.tasks.parts import Part
from naopt.training.image_trainer import classification_loss
from naopt.training.images import Images, ImageSource, batch_count
from naopt.training.settings import TrainingSettings
from naopt.training.state import TrainingState

Labelled = tuple[Tensor, Tensor]
"""Inputs ``(m, c, h, w)`` and labels ``(m,)``."""

IMAGE_SCORES: Mapping[str, tuple[str, Goal]] = {"loss": ("loss", "min"), "accuracy": ("acc", "max")}
"""Metric and direction by what images are scored by."""

_NORM_MOMENTUM = 0.1


class SharedImages(SharedData):
    """Images to classify.

    Args:
        network: the supernet, on its device.
        parts: ``train`` and ``valid``, on the same device.
        training: batch size, augmentation, label smoothing.
        settings: how paths are normalised and measured.

    Raises:
        InputError: images that are streamed from files, which weight sharing does not do.
    """

    network: Supernet

    def __init__(
        self,
        network: Supernet,
        parts: Mapping[Part, ImageSource],
        training: TrainingSettings,
        settings: OneShotSettings,
    ) -> None:
        super().__init__(network)
        self.metric, self.goal = IMAGE_SCORES[settings.score_by]
        train, valid = parts["train"], parts["valid"]
        if not isinstance(train, Images) or not isinstance(valid, Images):
            raise InputError("stream", "true", "weight sharing keeps its images in memory")
        self.train, self.valid, self.training, self.settings = train, valid, training, settings
        self.steps = batch_count(len(train), training.batch_size)
        count = batch_count(len(valid), settings.score_batch)
        self._scored = [self._inputs(valid, rows) for rows in _mixed(valid).tensor_split(count)]
        self._calibrating = _mixed(train)
        self._norms = list(path_norms(network))
        self._order: Tensor | None = None
        self._at, self._share = 0, 0.0
        self._batches: Iterator[Labelled] | None = None

    def next_train(self) -> Labelled:
        """See ``SharedData``."""
        if self._order is None or self._at == self.steps:
            order = torch.randperm(len(self.train) - self._held, device=self.train.labels.device)
            self._order = self._calibrating[self._held :][order] if self._held else order
            self._at, self._batches = 0, None
        if self._batches is None:
            left = self._order.tensor_split(self.steps)[self._at :]
            self._batches = iter(self.train.training_batches(left, self.training, 0))
        self._at += 1
        return next(self._batches)

    def hold_out(self, share: float) -> None:
        """Passes that begin from now on leave a share of the training images out, always the same.

        Raises:
            InputError: less than two images for a batch, of those that are held out or of the others.
        """
        self._share = share
        if share and not 2 <= self._held <= len(self.train) - 2 * self.steps:
            rule = f"leaves too few of {len(self.train)} training images on one side, with {self.steps} batches a pass"
            raise InputError("held_out", share, rule)

    @property
    def _held(self) -> int:
        return round(self._share * len(self.train))

    def next_held_out(self) -> Labelled:
        """A random batch of the images that are held out, as large as a training batch, and augmented like one."""
        held = self._calibrating[: self._held]
        rows = held[torch.randperm(len(held), device=held.device)[: self.training.batch_size]]
        some = Images(self.train.pixels[rows], self.train.labels[rows], self.train.normalize)
        every = torch.arange(len(rows), device=rows.device)
        return next(some.training_batches([every], self.training, 0))

    def next_valid(self) -> Labelled:
        """See ``SharedData``."""
        size = min(self.training.batch_size, len(self.valid))
        rows = torch.randperm(len(self.valid), device=self.valid.labels.device)[:size]
        return self._inputs(self.valid, rows)

    def loss(self, batch: Labelled, beside: Tensor | None = None, alone: float = 0.0) -> Tensor:
        """Mean cross entropy; the auxiliary head's is added with its weight.

        Args:
            batch: images and labels.
            beside: ``(n, classes)``, logits of something else that will be added to those of the network.
            alone: what the loss without that addition counts; with it the rest.
        """
        inputs, labels = batch
        logits, auxiliary = self.network.outputs(inputs)
        loss = classification_loss(logits, auxiliary, labels, self.training)
        if beside is None:
            return loss
        together = classification_loss(logits + beside, auxiliary, labels, self.training)
        return alone * loss + (1 - alone) * together

    def reward(self, batch: Labelled) -> float:
        """Accuracy in 0..1; 0 where logits are not finite."""
        inputs, labels = batch
        with self._measuring():
            logits = self.network(inputs)
        if not bool(torch.isfinite(logits).all()):
            return 0.0
        return float((logits.argmax(1) == labels).float().mean())

    def log_likelihoods(self, paths: Sequence[Path], batch: Labelled) -> NDArray[np.float64]:
        """See ``SharedData``; nats an image."""
        inputs, labels = batch
        found: dict[Path, Tensor] = {}
        with self.without_gradients():
            self._normalise_by_batch()
            for path in dict.fromkeys(paths):
                self.network.choose(path)
                found[path] = -F.cross_entropy(self.network(inputs), labels)
        return torch.stack([found[path] for path in paths]).double().cpu().numpy()

    def measure(self, path: Path) -> dict[str, float]:
        """``acc`` in percent and ``loss``, mean cross entropy without smoothing, on all validation images."""
        self.network.choose(path)
        hits, loss, images = 0, 0.0, 0
        with self._measuring():
            for inputs, labels in self._scored:
                logits = self.network(inputs)
                hits += int((logits.argmax(1) == labels).sum())
                loss += float(F.cross_entropy(logits, labels, reduction="sum"))
                images += len(labels)
        return {"acc": 100 * hits / images, "loss": loss / images} if math.isfinite(loss) else {}

    @contextmanager
    def _measuring(self) -> Iterator[None]:
        """Inside, nothing is dropped, and paths are normalised as the settings say."""
        with self.without_gradients():
            if self.settings.statistics == "recalibrated":
                self._recalibrate()
            else:
                self._normalise_by_batch()
            yield

    def _normalise_by_batch(self) -> None:
        set_training(self._norms, True)

    def _recalibrate(self) -> None:
        """Gathers the chosen path's statistics from training images, always the same: plain means over the batches."""
        path = {id(parameter) for parameter in self.shared.path_parameters()}
        norms = [norm for norm in self._norms if id(norm.weight) in path]
        uses = dict.fromkeys(norms, 0)

        def count(norm: BatchNorm, _: object) -> None:
            # A path may use a normalisation more than once.
            uses[norm] += 1
            norm.momentum = 1 / uses[norm]

        handles = [norm.register_forward_pre_hook(count) for norm in norms]
        try:
            size = min(self.training.batch_size, len(self.train))
            for norm in norms:
                norm.training = True
                norm.reset_running_stats()  # those of a path that broke are not finite, and would remain so
            for index in range(self.settings.recalibration_batches):
                rows = self._calibrating.roll(-index * size)[:size]
                self.network(self._inputs(self.train, rows)[0])
        finally:
            for norm, handle in zip(norms, handles, strict=True):
                handle.remove()
                norm.training, norm.momentum = False, _NORM_MOMENTUM

    @staticmethod
    def _inputs(images: Images, rows: Tensor) -> Labelled:
        return images.normalize(images.pixels[rows]), images.labels[rows]

    def memory(self) -> TrainingState:
        """See ``SharedData``."""
        return TrainingState({} if self._order is None else {"order": self._order}, {"at": self._at})

    def restore(self, memory: TrainingState) -> None:
        """See ``SharedData``."""
        order = memory.tensors.get("order")
        self._order = None if order is None else order.to(self.train.labels.device)
        self._at, self._batches = int(memory.facts["at"]), None


def _mixed(images: Images) -> Tensor:
    """All indices, in an order that is always the same: tasks give images class by class."""
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    return order.to(images.labels.device)
