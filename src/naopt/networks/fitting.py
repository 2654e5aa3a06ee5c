"""Trains a child network and measures it. All images stay on one device; augmentation works on whole batches there."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from naopt.networks.base import ChildNetwork
from naopt.networks.settings import TrainingSettings

_EVALUATION_BATCH = 1000


class DivergedError(ArithmeticError):
    """The loss is no longer finite."""


@dataclass(frozen=True)
class Images:
    """Images on a device, ready to be trained on.

    Attributes:
        pixels: ``(n, c, h, w)``, of any numeric type.
        labels: ``(n,)`` class indices.
        mean: ``(1, c, 1, 1)``, per channel, of the training images.
        scale: ``(1, c, 1, 1)``, reciprocal standard deviation per channel of the training images.
    """

    pixels: Tensor
    labels: Tensor
    mean: Tensor
    scale: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def normalize(self, pixels: Tensor) -> Tensor:
        """Pixels as floats with the training images' mean 0 and deviation 1 per channel."""
        return (pixels.float() - self.mean).mul_(self.scale)


def channel_statistics(pixels: NDArray[np.generic]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and reciprocal deviation ``(1, c, 1, 1)`` of ``(n, c, h, w)`` images; a constant channel is only centred."""
    mean = pixels.mean(axis=(0, 2, 3), keepdims=True, dtype=np.float64)
    deviation = pixels.std(axis=(0, 2, 3), keepdims=True, dtype=np.float64)
    return mean.astype(np.float32), (1 / np.where(deviation > 0, deviation, 1.0)).astype(np.float32)


def to_device(
    pixels: NDArray[np.generic],
    labels: NDArray[np.int64],
    statistics: tuple[NDArray[np.float32], NDArray[np.float32]],
    device: torch.device,
) -> Images:
    """Images on a device, with the statistics to normalise them by."""
    mean, scale = (torch.tensor(values, device=device) for values in statistics)
    return Images(torch.tensor(pixels, device=device), torch.tensor(labels, device=device), mean, scale)


@contextmanager
def reproducible(seed: int, device: torch.device, threads: int) -> Iterator[None]:
    """Inside, torch's default generators start from ``seed`` and the CPU uses ``threads``; both are restored after."""
    before = torch.get_num_threads()
    index = [] if device.type == "cpu" else [device.index or 0]
    with torch.random.fork_rng(index, device_type="cuda" if device.type == "cpu" else device.type):
        torch.set_num_threads(threads)
        torch.manual_seed(seed)
        try:
            yield
        finally:
            torch.set_num_threads(before)


def augment(pixels: Tensor, size: tuple[int, int], settings: TrainingSettings) -> Tensor:
    """Random crops of padded images, mirrored half of the time.

    Args:
        pixels: ``(n, c, h + 2 p, w + 2 p)`` with ``p = settings.crop_padding``.
        size: ``(h, w)``.
        settings: which augmentation.

    Returns:
        ``(n, c, h, w)``; each image has an offset and a coin of its own.
    """
    count, shifts, device = len(pixels), 2 * settings.crop_padding + 1, pixels.device
    rows = torch.arange(size[0], device=device).expand(count, -1)
    columns = torch.arange(size[1], device=device).expand(count, -1)
    if settings.flip:
        columns = torch.where(torch.rand(count, 1, device=device) < 0.5, columns.flip(1), columns)
    if settings.crop_padding:
        offsets = torch.randint(shifts, (2, count, 1), device=device)
        rows, columns = rows + offsets[0], columns + offsets[1]
    image = torch.arange(count, device=device)[:, None, None]
    # Advanced indices around a slice put the channels last.
    return pixels[image, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2).contiguous()


def deform(images: Tensor, rotation: float, zoom: float) -> Tensor:
    """Turns and scales each image by an amount of its own, around its centre, with bilinear interpolation.

    Args:
        images: ``(n, c, h, w)`` floats; what comes in from outside is 0.
        rotation: largest angle either way, in degrees.
        zoom: largest fraction by which an image is enlarged or made smaller.
    """
    count, _, height, width = images.shape
    draw = 2 * torch.rand(2, count, device=images.device) - 1
    angle, scale = draw[0] * math.radians(rotation), 1 + draw[1] * zoom
    cosine, sine, nought = angle.cos() * scale, angle.sin() * scale, torch.zeros_like(angle)
    maps = torch.stack([cosine, -sine * height / width, nought, sine * width / height, cosine, nought], 1)
    grid = F.affine_grid(maps.view(count, 2, 3), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, align_corners=False)


def cut_out(images: Tensor, side: int) -> Tensor:
    """Zeroes a square of ``side`` pixels around a random pixel of each normalised image (DeVries & Taylor 2017)."""
    count, _, height, width = images.shape

    def band(length: int) -> Tensor:
        start = torch.randint(length, (count, 1), device=images.device) - side // 2
        at = torch.arange(length, device=images.device)
        return (at >= start) & (at < start + side)

    hole = band(height)[:, None, :, None] & band(width)[:, None, None, :]
    return images.masked_fill(hole, 0.0)


def batch_count(images: int, batch_size: int) -> int:
    """Number of nearly equal batches of at most ``batch_size``, none of which has a single image.

    Batch normalisation of 1x1 maps is not defined for one image. (Of three images and batches of two one batch of
    three is made: no single image is worth a failure.)
    """
    return max(1, min(math.ceil(images / batch_size), images // 2))


def fit(network: ChildNetwork, images: Images, settings: TrainingSettings) -> float:
    """Trains a network with SGD and a cosine schedule per step, by torch's default generators.

    Returns:
        The mean training loss of the last epoch, auxiliary loss included.

    Raises:
        DivergedError: the loss of an epoch is not finite.
    """
    network.train()
    parameters = list(network.parameters())
    optimizer = torch.optim.SGD(
        parameters,
        settings.learning_rate,
        settings.momentum,
        weight_decay=settings.weight_decay,
        nesterov=settings.nesterov and settings.momentum > 0,
        fused=images.pixels.device.type in ("cpu", "cuda"),
    )
    height, width = images.pixels.shape[2:]
    pixels = F.pad(images.pixels, (settings.crop_padding,) * 4)
    batches = batch_count(len(images), settings.batch_size)
    steps, step, mean_loss = settings.epochs * batches, 0, math.nan
    span = settings.learning_rate - settings.min_learning_rate
    for epoch in range(settings.epochs):
        total = torch.zeros((), device=pixels.device)
        for batch in torch.randperm(len(images), device=pixels.device).tensor_split(batches):
            network.progress = step / steps
            rate = settings.min_learning_rate + span * (1 + math.cos(math.pi * network.progress)) / 2
            optimizer.param_groups[0]["lr"] = rate
            chosen = pixels[batch]
            if settings.crop_padding or settings.flip:
                chosen = augment(chosen, (height, width), settings)
            if settings.rotation or settings.zoom:
                chosen = deform(chosen.float(), settings.rotation, settings.zoom)
            inputs = images.normalize(chosen)
            if settings.cutout:
                inputs = cut_out(inputs, settings.cutout)
            labels = images.labels[batch]
            logits, auxiliary = network.outputs(inputs)
            loss = F.cross_entropy(logits, labels, label_smoothing=settings.label_smoothing)
            if auxiliary is not None:
                extra = F.cross_entropy(auxiliary, labels, label_smoothing=settings.label_smoothing)
                loss = loss + settings.auxiliary_weight * extra
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            if settings.clip_norm:
                torch.nn.utils.clip_grad_norm_(parameters, settings.clip_norm, foreach=True)
            optimizer.step()
            total += loss.detach()
            step += 1
        mean_loss = float(total) / batches
        if not math.isfinite(mean_loss):
            raise DivergedError(f"training loss {mean_loss} in epoch {epoch + 1} of {settings.epochs}")
    network.progress = 1.0
    return mean_loss


def measure(network: ChildNetwork, images: Images) -> tuple[float, float]:
    """Accuracy in percent and mean cross entropy (without smoothing) on all images.

    Raises:
        DivergedError: the loss is not finite.
    """
    network.eval()
    hits, loss = 0, 0.0
    with torch.inference_mode():
        for start in range(0, len(images), _EVALUATION_BATCH):
            batch = slice(start, start + _EVALUATION_BATCH)
            logits, labels = network(images.normalize(images.pixels[batch])), images.labels[batch]
            hits += int((logits.argmax(1) == labels).sum())
            loss += float(F.cross_entropy(logits, labels, reduction="sum"))
    if not math.isfinite(loss):
        raise DivergedError(f"loss {loss} on held-out images")
    return 100 * hits / len(images), loss / len(images)
