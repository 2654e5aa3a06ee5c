"""Proxies by the gradient of the loss with respect to the weights, on training batches."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from naopt.proxies.registry import Proxy, proxies

if TYPE_CHECKING:
    from naopt.proxies.probe import Probe

_BOTH = ("images", "text")


def snip(probe: Probe) -> float:
    """Sum over all weights of ``|w dL/dw|`` on the first batch (Lee et al. 2019, equation 5, before normalisation)."""
    gradients = probe.gradients(0)
    return sum(float((w.double() * gradients[name].double()).abs().sum()) for name, w in probe.weights.items())


def grad_norm(probe: Probe) -> float:
    """Sum over layers of the Euclidean norm of the gradient on the first batch (Abdelfattah et al. 2021)."""
    return sum(float(gradient.double().norm()) for gradient in probe.gradients(0).values())


def zico(probe: Probe) -> float:
    """Sum over layers of ``log sum_w mean|g| / std g`` over batches (Li et al. 2023, equation 17).

    Weights whose gradient is the same in all batches are left out, and so are layers without any other, as in the
    authors' program.
    """
    import torch

    total = 0.0
    found = [probe.gradients(index) for index in range(len(probe.batches))]
    for name in probe.weights:
        each = torch.stack([gradients[name] for gradients in found]).double()
        deviation = each.std(0, correction=0)
        varies = deviation > 0
        ratio = float((each.abs().mean(0)[varies] / deviation[varies]).sum())
        total += math.log(ratio) if ratio > 0 else 0.0
    return total


proxies.register("snip")(
    Proxy("sum of |weight x gradient|", "Lee et al. 2019, SNIP", snip, kinds=_BOTH, records=("gradients",))
)
proxies.register("grad_norm")(
    Proxy(
        "sum of the Euclidean norms of the layers' gradients",
        "Abdelfattah et al. 2021",
        grad_norm,
        kinds=_BOTH,
        records=("gradients",),
    )
)
proxies.register("zico")(
    Proxy(
        "inverse coefficient of variation of gradients over batches",
        "Li et al. 2023, ZiCo",
        zico,
        kinds=_BOTH,
        records=("gradients",),
    )
)
