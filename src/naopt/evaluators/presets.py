"""Published and own settings of training, by name. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from naopt.networks.language_settings import LANGUAGE_PRESETS


@dataclass(frozen=True, slots=True)
class Preset:
    """Settings of training under a name.

    Attributes:
        kind: of the tasks that it is for.
        source: where the values come from, in one line.
        values: the settings; what is left out has its default.
    """

    kind: Literal["images", "text"]
    source: str
    values: Mapping[str, Any]


_CIFAR: Mapping[str, Any] = {
    "cells_per_stage": 6,
    "filters": 36,
    "epochs": 600,
    "batch_size": 128,
    "learning_rate": 0.025,
    "nesterov": False,
    "label_smoothing": 0.0,
    "weight_decay": 3e-4,
    "clip_norm": 5.0,
    "drop_path_keep": 0.8,
    "drop_identities": True,
    "dropout": 0.4,
    "auxiliary_weight": 0.4,
    "head_relu": False,
    "cutout": 16,
}
"""The PyTorch port's final training of NAONet-A with 36 filters."""

_TENSORFLOW: Mapping[str, Any] = {
    "filters": 128,
    "learning_rate": 0.024,
    "weight_decay": 5e-4,
    "drop_path_keep": 0.7,
    "drop_identities": False,
    "head_relu": True,
    "auxiliary_at": "cell",
    "calibrate_newer": "always",
    "normalisation": "image",
}
"""Where the TensorFlow program's final training differs."""

PRESETS: Mapping[str, Preset] = {
    "search": Preset(
        "images",
        "NAO's CIFAR-10 search phase without weight sharing (section 4.1; official TensorFlow script)",
        {
            "cells_per_stage": 3,
            "filters": 32,
            "epochs": 25,
            "batch_size": 128,
            "learning_rate": 0.024,
            "cosine_epochs": 100,
            "nesterov": False,
            "weight_decay": 5e-4,
            "label_smoothing": 0.0,
            "clip_norm": 5.0,
            "drop_path_keep": 0.7,
            "dropout": 0.0,
            "auxiliary_weight": 0.4,
            "auxiliary_at": "cell",
            "calibrate_newer": "always",
            "normalisation": "image",
            "cutout": 0,
        },
    ),
    "cifar10-final": Preset("images", "authors' PyTorch program, NAONet-A with 36 filters", _CIFAR),
    "cifar10-final-large": Preset(
        "images",
        "authors' PyTorch program, NAONet-A with 128 filters",
        {**_CIFAR, "filters": 128, "weight_decay": 5e-4, "drop_path_keep": 0.7},
    ),
    "cifar10-final-tensorflow": Preset(
        "images", "authors' TensorFlow program, CIFAR-10 with 128 filters", {**_CIFAR, **_TENSORFLOW}
    ),
    "cifar100-final": Preset(
        "images",
        "authors' TensorFlow program, CIFAR-100 with 128 filters",
        {**_CIFAR, **_TENSORFLOW, "drop_path_keep": 0.6, "dropout": 0.2},
    ),
    "imagenet-final": Preset(
        "images",
        "authors' PyTorch program, NAONet-A (42 filters) on 4 GPUs; batch and rate are the totals of the four",
        {
            "skeleton": "imagenet",
            "cells_per_stage": 4,
            "filters": 42,
            "epochs": 250,
            "batch_size": 512,
            "learning_rate": 0.4,
            "schedule": "step",
            "step_factor": 0.97,
            "nesterov": False,
            "weight_decay": 3e-5,
            "label_smoothing": 0.1,
            "clip_norm": 5.0,
            "drop_path_keep": 1.0,
            "dropout": 0.0,
            "auxiliary_weight": 0.4,
            "head_relu": False,
            "stream": True,
            "image_size": 224,
            "crop_padding": 0,
            "colour_jitter": (0.4, 0.4, 0.4, 0.2),
            "precision": "auto",
        },
    ),
    "nao-ws-final": Preset(
        "images",
        "authors' TensorFlow program with weight sharing (NAONet-WS, N = 5, F = 36); it counts L2 without the factor "
        "1/2, so the coefficient is twice the script's, and its gradient clipping has no effect",
        {
            "cells_per_stage": 5,
            "filters": 36,
            "epochs": 630,
            "batch_size": 144,
            "learning_rate": 0.05,
            "min_learning_rate": 1e-4,
            "schedule": "restarts",
            "restart_epochs": 10,
            "restart_factor": 2,
            "nesterov": True,
            "weight_decay": 4e-4,
            "label_smoothing": 0.0,
            "clip_norm": 0.0,
            "drop_path_keep": 0.6,
            "dropout": 0.2,
            "auxiliary_weight": 0.4,
            "auxiliary_at": "cell",
            "calibrate_newer": "twice",
            "cutout": 0,
        },
    ),
    "digits-final": Preset(
        "images",
        "six-fold cross-validation on training and validation images with 12 of the better cells of digits-nao11 (98.0 "
        "to 100 %, on average 99.2 %; with shifts by a pixel, without dropout and in batches of 100 six had 98.7 %); "
        "the test images had no part in it",
        {
            "cells_per_stage": 1,
            "filters": 16,
            "epochs": 50,
            "batch_size": 60,
            "learning_rate": 0.1,
            "weight_decay": 1e-3,
            "label_smoothing": 0.1,
            "dropout": 0.3,
            "crop_padding": 0,
            "flip": False,
            "rotation": 12,
            "zoom": 0.12,
        },
    ),
    "images-final": Preset(
        "images",
        "our choice for small image folders: validated on photographs of CIFAR-10's classes, 120 of each to learn "
        "from; the test images had no part in it",
        {
            "cells_per_stage": 1,
            "filters": 20,
            "epochs": 60,
            "batch_size": 64,
            "learning_rate": 0.1,
            "auxiliary_weight": 0.4,
        },
    ),
    **{name: Preset("text", source, values) for name, (source, values) in LANGUAGE_PRESETS.items()},
}
