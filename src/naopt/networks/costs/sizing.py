"""How wide a network has to be to have so many parameters. Imports torch only where there is no closed form."""

from __future__ import annotations

from typing import TypeVar

from naopt.errors import InputError
from naopt.networks.costs.describe import describe, describes
from naopt.networks.costs.layers import totals
from naopt.networks.settings import FEWEST, MOST, NetworkSettings
from naopt.spaces import Architecture, SearchSpace

Chosen = TypeVar("Chosen", bound=NetworkSettings)

_SIDE = 32
"""Of the image: parameters do not depend on it."""


def sized(space: SearchSpace, architecture: Architecture, settings: Chosen, in_channels: int, classes: int) -> Chosen:
    """Settings whose ``filters`` are the most with which the network has at most ``settings.parameters``.

    Settings without ``parameters`` are given back as they are.

    Args:
        space: the architecture's space.
        architecture: what is built.
        settings: skeleton and head.
        in_channels: channels of the images.
        classes: number of classes.

    Raises:
        InputError: fewer parameters are asked for than the narrowest network has, or there are no networks.
    """
    budget = settings.parameters
    if budget is None:
        return settings

    def wide(filters: int) -> Chosen:
        return settings.model_copy(update={"filters": filters, "parameters": None})

    def count(filters: int) -> int:
        if describes(space):
            return totals(describe(space, architecture, wide(filters), (in_channels, _SIDE, _SIDE), classes)).params
        return _built(space, architecture, wide(filters), in_channels, classes)

    if (fewest := count(FEWEST)) > budget:
        text = space.format(architecture)
        raise InputError("parameters", budget, f"the narrowest network of {text} has {fewest:,}")
    low, high = FEWEST, 2 * FEWEST
    while high <= MOST and count(high) <= budget:
        low, high = high, 2 * high
    high = min(high, MOST + 1)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if count(middle) <= budget else (low, middle)
    return wide(low)


def _built(
    space: SearchSpace, architecture: Architecture, settings: NetworkSettings, in_channels: int, classes: int
) -> int:
    import torch

    from naopt.networks.base import count_parameters
    from naopt.networks.build import build_network

    with torch.device("meta"):
        return count_parameters(build_network(space, architecture, settings, in_channels, classes))
