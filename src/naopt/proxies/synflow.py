"""Synaptic flow: how much of an input of ones reaches the output through absolute weights."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from naopt.proxies.registry import Proxy, proxies

if TYPE_CHECKING:
    from naopt.proxies.probe import Probe

_FAINT = 1e-100
"""What the image is multiplied by: flow is linear in it, and this little reaches no upper bound of a ReLU6."""


def synflow(probe: Probe) -> float:
    """``log(1 + sum_w |w dR/dw|)``, where R is the sum of outputs for an image of ones, all weights made positive.

    Tanaka et al. 2020; summed over a network by Abdelfattah et al. 2021. As in the latter's program there is no batch
    normalisation: it would make a constant map zero, and hide how flow grows from layer to layer. Here norms are in
    evaluation mode, where one that has seen no data hands its input on (divided by ``sqrt(1 + 1e-5)``). The logarithm
    is ours, as sums have up to a hundred digits; it changes no order, and gives a network without a path 0. Biases are
    nought, for what they add is no flow of the input.
    """
    import torch

    network = probe.fresh().double().eval()
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.rpartition(".")[2] == "bias":
                parameter.zero_()
            else:
                parameter.abs_()
    ones = torch.full((1, *probe.shape), _FAINT, dtype=torch.float64, device=probe.device)
    weights = list(probe.weights_of(network).values())
    flows = torch.autograd.grad(network(ones).sum(), weights, allow_unused=True)
    pairs = zip(weights, flows, strict=True)
    total = sum(float((weight.detach() * flow).abs().sum()) for weight, flow in pairs if flow is not None)
    return math.log1p(total / _FAINT)


proxies.register("synflow")(
    Proxy(
        "logarithm of the synaptic flow",
        "Tanaka et al. 2020; Abdelfattah et al. 2021",
        synflow,
    )
)
