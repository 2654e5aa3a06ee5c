"""The table of costs by which InstaNAS judges paths: closed forms, or times of this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from naopt.devices.timing import timed_together
from naopt.networks.base import arranged
from naopt.networks.costs.insta import OperationCosts, count_operations
from naopt.networks.instance import ImageController

if TYPE_CHECKING:
    from naopt.networks.costs.layers import Map
    from naopt.networks.settings import NetworkSettings
    from naopt.networks.supernet_insta import InstaSupernet

_REPEATS, _WARM_UP, _SPREAD = 20, 3, 0.1


def counted_costs(
    network: InstaSupernet, controller: ImageController, settings: NetworkSettings, image: Map, classes: int
) -> OperationCosts:
    """Millions of multiply-adds for one image ``(channels, height, width)``."""
    return count_operations(network.space, settings, image, classes, controller.multiply_adds(image) / 1e6)


def measured_costs(
    network: InstaSupernet, controller: ImageController, image: Map, batch: int, device: torch.device
) -> OperationCosts:
    """Milliseconds of a batch in inference, by this machine's clock: medians of 20 repeats.

    Every operation is timed by itself, on a map of the shape that it has in the network.

    Args:
        network: the meta-graph; it stays as it is.
        controller: likewise.
        image: ``(channels, height, width)``.
        batch: images at a time.
        device: where the network is.
    """
    training = network.training, controller.training
    network.eval()
    controller.eval()
    images = arranged(torch.zeros(batch, *image, device=device))
    thrift = torch.zeros(batch, device=device)
    calls = {"controller": lambda: controller(images, thrift)}
    x = images
    with torch.inference_mode():
        x = network.stem(images)
        calls["stem"] = lambda: network.stem(images)
        for block, parts in enumerate(network.parts):
            for index, operation in enumerate(parts):
                calls[f"{block}.{index}"] = lambda operation=operation, x=x: operation(x)  # type: ignore[misc]
            x = parts[0](x)
        calls["head"] = lambda: network.head(x)
    found = timed_together(calls, repeats=_REPEATS, warm_up=_WARM_UP, spread=_SPREAD, device=str(device))
    network.train(training[0])
    controller.train(training[1])
    times = {name: float(figures["median_ms"]) for name, figures in found.items()}
    operations = tuple(
        tuple(times[f"{block}.{index}"] for index in range(len(parts))) for block, parts in enumerate(network.parts)
    )
    return OperationCosts("ms", times["stem"] + times["head"], times["controller"], operations)
