"""Times networks of a space on this machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from naopt.devices.device_file import layer_row
from naopt.devices.layers import layers_of
from naopt.devices.setting import Setting
from naopt.devices.timing import inputs, make_network, timed_together
from naopt.networks.build import build_network
from naopt.spaces import Architecture, SearchSpace


def time_networks(space: SearchSpace, architectures: Sequence[Architecture], setting: Setting) -> dict[str, Any]:
    """Times networks in evaluation mode, with the weights that training begins with.

    Returns:
        By the architecture's text, as ``timed_together``.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(setting.threads)
    try:
        image = inputs(["input"], [setting.image], setting.batch, setting.device)[0]
        calls = {space.format(each): _call(space, each, setting, image) for each in architectures}
        options = setting.model_dump(include={"repeats", "warm_up", "spread", "device"})
        return timed_together(calls, **options)
    finally:
        torch.set_num_threads(threads)


def _call(
    space: SearchSpace, architecture: Architecture, setting: Setting, image: torch.Tensor
) -> Callable[[], torch.Tensor]:
    with torch.random.fork_rng([]):
        if setting.runner == "layers":
            with torch.device(setting.device):
                run = make_network([layer_row(layer) for layer in layers_of(space, architecture, setting)])
            return lambda: run(image)
        network = build_network(space, architecture, setting.network, setting.image[0], setting.classes)
    network = network.to(setting.device).eval()
    return lambda: network(image)
