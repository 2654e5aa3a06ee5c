"""Latency of a network that is there, measured on the device where it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from naopt.devices.setting import LATENCY, SPREAD
from naopt.devices.timing import timed_together

if TYPE_CHECKING:
    import torch
    from torch import nn

REPEATS, WARM_UP, MOST_SPREAD = 30, 5, 0.1


def measured_latency(
    network: nn.Module, image: tuple[int, int, int], batch: int, device: torch.device
) -> tuple[dict[str, float], str]:
    """Median milliseconds of a batch in inference, of 30 repeats after 5 that do not count.

    Measured again, once, if half the distance between the quartiles is more than a tenth of the median.

    Args:
        network: on the device.
        image: ``(channels, height, width)``.
        batch: images at a time.
        device: where the network is; with as many threads as torch has now.

    Returns:
        ``latency_ms`` and its spread as a share, and a note, empty unless the second time was as unsteady.
    """
    import torch

    images = torch.zeros(batch, *image, device=device)
    if device.type == "cpu":
        images = images.contiguous(memory_format=torch.channels_last)
    training = network.training
    network.eval()
    try:
        found = timed_together(
            {"network": lambda: network(images)},
            repeats=REPEATS,
            warm_up=WARM_UP,
            spread=MOST_SPREAD,
            device=str(device),
        )["network"]
    finally:
        network.train(training)
    note = f"unsteady latency: spread {found['spread']:.0%} of the median, measured twice" if found["marked"] else ""
    return {LATENCY: float(found["median_ms"]), SPREAD: float(found["spread"])}, note
