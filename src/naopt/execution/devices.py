"""Which CUDA device each worker process sees."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from naopt.errors import InputError
from naopt.evaluators.base import Evaluator

_VISIBLE = "CUDA_VISIBLE_DEVICES"


def visible_devices() -> list[str]:
    """Names of the CUDA devices that this process sees, as ``CUDA_VISIBLE_DEVICES`` has them. Imports torch."""
    import torch

    count = torch.cuda.device_count()
    named = [name.strip() for name in os.environ.get(_VISIBLE, "").split(",") if name.strip()]
    return named[:count] if len(named) >= count else [str(index) for index in range(count)]


def worker_environments(evaluator: Evaluator, workers: int, per_device: int = 1) -> Sequence[Mapping[str, str]]:
    """Variables of each worker's environment: one device each, in turn, if the evaluator's ``device`` is ``cuda``.

    A device with a number is seen by all of them.

    Args:
        evaluator: to be evaluated with.
        workers: how many.
        per_device: how many of them a device may have.

    Raises:
        InputError: fewer than one worker, or too many for the devices.
    """
    if workers < 1:
        raise InputError("workers", workers, "must be at least 1")
    if per_device < 1:
        raise InputError("workers-per-device", per_device, "must be at least 1")
    device = str(getattr(evaluator, "device", "cpu"))
    if not device.startswith("cuda"):
        return [{}] * workers
    devices = visible_devices() if device == "cuda" else [device]
    if workers > len(devices) * per_device:
        have = f"{len(devices)} CUDA device{'s' * (len(devices) != 1)}"
        rule = f"too many for {have} with {per_device} worker{'s' * (per_device != 1)} each; see --workers-per-device"
        raise InputError("workers", workers, rule)
    if device != "cuda":
        return [{}] * workers
    return [{_VISIBLE: devices[index % len(devices)]} for index in range(workers)]
