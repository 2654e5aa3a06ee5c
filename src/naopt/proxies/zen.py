"""The Zen score: how strongly features before the pool answer to a small change of noise."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from naopt.proxies.registry import Proxy, proxies

if TYPE_CHECKING:
    import torch

    from naopt.proxies.probe import Probe

_STEP = 0.01
"""Alpha of the paper."""
_LEAST = 1e-6
"""Of a change; what answers to nothing has its logarithm."""


def zen(probe: Probe) -> float:
    """``log E |f(x) - f(x + 0.01 e)| + sum log sigma`` (Lin et al. 2021, algorithm 1), the mean over repeats.

    f is the map before global pooling, with standard normal weights; x and e are standard normal too. Sigma is what
    each batch normalisation divides by, the root of the mean over channels. Networks here keep their shortcuts, which
    the paper removes. NaN for a network that pools nothing globally.
    """
    import torch

    generator = torch.Generator().manual_seed(probe.seed)
    found = [_once(probe, generator) for _ in range(probe.repeats)]
    return sum(found) / len(found)


def _once(probe: Probe, generator: torch.Generator) -> float:
    import torch
    from torch import nn

    from naopt.proxies.watching import GlobalPool

    network = probe.fresh().train()
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    with torch.no_grad():
        for weight in probe.weights_of(network).values():
            weight.copy_(torch.randn(weight.shape, generator=generator))
        for norm in norms:
            norm.momentum = 1.0  # running statistics are those of the last batch
        noise, change = torch.randn((2, probe.size, *probe.shape), generator=generator).to(probe.batches[0][0])
        with GlobalPool() as first:
            network(noise)
        scale = sum(math.log(float(_variance(norm) + norm.eps)) / 2 for norm in norms)
        with GlobalPool() as second:
            network(noise + _STEP * change)
    if first.read is None or second.read is None:
        return math.nan
    answer = float((first.read.double() - second.read.double()).flatten(1).norm(dim=1).mean())
    return math.log(max(answer, _LEAST)) + scale


def _variance(norm: torch.nn.BatchNorm2d) -> torch.Tensor:
    assert norm.running_var is not None
    return norm.running_var.double().mean()


proxies.register("zen")(
    Proxy("answer of the last map to a change of noise, batch norms undone", "Lin et al. 2021, Zen-NAS", zen)
)
