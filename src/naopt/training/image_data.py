"""From an image task to what a trainer goes through."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from naopt.errors import InputError
from naopt.tasks import ImageFiles, ImageTask, Limits, Split
from naopt.tasks.parts import Part
from naopt.training.images import ImageSource, Normalisation, Statistics, channel_statistics, to_device
from naopt.training.settings import TrainingSettings
from naopt.training.streaming import StreamedImages, sample_statistics

LoadedImages = tuple[dict[Part, ImageSource], dict[str, Any], tuple[str, ...]]
"""Images by part, what one has to know to use a network that was trained on them (``image_facts``), and remarks."""


def load_images(
    task: ImageTask, settings: TrainingSettings, device: torch.device, *, test: bool, final: bool
) -> LoadedImages:
    """Reads a task's images.

    Args:
        task: which, with the settings' ``image_options``.
        settings: limits, size, normalisation, and whether images stay in their files.
        device: where they go.
        test: the test images too.
        final: training and validation images are trained on together, and ``valid`` is left out.

    Raises:
        InputError: data that cannot be used, or no test images where they are asked for.
    """
    if settings.stream:
        return _stream_images(task, settings, device, test=test, final=final)
    limits = Limits(settings.train_limit, settings.valid_limit, None if test else 0)
    data = task.load(limits)
    if test and not len(data.test):
        raise InputError("task", task.source or type(task).__name__, "has no test images")
    if settings.image_size is not None:
        data = data.resized(settings.image_size)
    pixels, labels = data.train.images, data.train.labels
    if final:
        pixels = np.concatenate([pixels, data.valid.images])
        labels = np.concatenate([labels, data.valid.labels])
    statistics = channel_statistics(pixels)
    per_image = settings.normalisation == "image"
    chosen: dict[Part, Split] = {"train": Split(pixels, labels)}
    if not final:
        chosen["valid"] = data.valid
    if test:
        chosen["test"] = data.test
    parts: dict[Part, ImageSource] = {
        part: to_device(split.images, split.labels, statistics, device, per_image=per_image)
        for part, split in chosen.items()
    }
    return parts, image_facts(data.classes, pixels.shape[1:], statistics), data.remarks


def _stream_images(
    task: ImageTask, settings: TrainingSettings, device: torch.device, *, test: bool, final: bool
) -> LoadedImages:
    assert settings.image_size is not None
    splits = task.files(Limits(settings.train_limit, settings.valid_limit, None if test else 0))
    if test and not len(splits.test):
        raise InputError("task", task.source, "has no test images")
    train = splits.train.joined(splits.valid) if final else splits.train
    statistics = sample_statistics(train, settings.image_size)
    mean, scale = (torch.tensor(values, device=device) for values in statistics)
    normalize = Normalisation(mean, scale, settings.normalisation == "image")
    chosen: dict[Part, ImageFiles] = {"train": train}
    if not final:
        chosen["valid"] = splits.valid
    if test:
        chosen["test"] = splits.test
    parts: dict[Part, ImageSource] = {
        part: StreamedImages(files, settings, normalize, device) for part, files in chosen.items()
    }
    shape = (3, settings.image_size, settings.image_size)
    return parts, image_facts(splits.classes, shape, statistics), splits.remarks


def image_facts(classes: Sequence[str], shape: tuple[int, ...], statistics: Statistics) -> dict[str, Any]:
    """What one has to know to use a network, in JSON values.

    Class names in the order of its outputs, ``(channels, height, width)`` of an image, and for each channel what to
    subtract from pixels and what to divide them by after that.
    """
    mean, scale = (values.reshape(-1).astype(float) for values in statistics)
    return {
        "classes": list(classes),
        "input_shape": list(shape),
        "mean": mean.tolist(),
        "deviation": (1 / scale).tolist(),
    }
