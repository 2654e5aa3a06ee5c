"""Proxies that no batch has to pass for: sizes, and the norm of the weights."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from naopt.proxies.registry import Proxy, proxies

if TYPE_CHECKING:
    from naopt.proxies.probe import Probe

_BOTH = ("images", "text")


def params(probe: Probe) -> float:
    """Number of parameters, in closed form where that is known."""
    from naopt.networks.base import count_parameters

    return probe.costs["params"] if "params" in probe.costs else float(count_parameters(probe.network))


def macs(probe: Probe) -> float:
    """Multiply-adds of one example, in closed form; NaN where that is not known."""
    return probe.costs.get("macs", math.nan)


def l2(probe: Probe) -> float:
    """Sum over all weights, layer by layer, of the Euclidean norm."""
    return sum(float(weight.double().norm()) for weight in probe.weights.values())


proxies.register("params")(Proxy("number of parameters", "closed form", params, kinds=_BOTH))
proxies.register("macs")(Proxy("multiply-adds of one example", "closed form", macs, kinds=_BOTH))
proxies.register("l2")(
    Proxy("sum of the Euclidean norms of the layers' weights", "Abdelfattah et al. 2021", l2, kinds=_BOTH)
)
