"""From a search space to the network that holds all its architectures."""

from __future__ import annotations

from functools import singledispatch
from typing import TYPE_CHECKING

from naopt.errors import InputError
from naopt.networks.cell_norms import AS_CHILDREN, CellNorms
from naopt.networks.known import knows
from naopt.networks.supernet_conv import build_conv_supernet
from naopt.networks.supernet_insta import build_insta_supernet
from naopt.networks.supernet_nasbench201 import build_nasbench201_supernet
from naopt.spaces import ConvCellSpace, EnumeratedSpace, InstaSpace, NASBench201Space, SearchSpace

if TYPE_CHECKING:
    from naopt.networks.settings import NetworkSettings
    from naopt.networks.supernet import Supernet, WeightSharing


@singledispatch
def build_supernet(
    space: SearchSpace,
    settings: NetworkSettings,  # noqa: ARG001
    in_channels: int,  # noqa: ARG001
    classes: int,  # noqa: ARG001
    weights: WeightSharing = "edge",  # noqa: ARG001
    norms: CellNorms = AS_CHILDREN,  # noqa: ARG001
) -> Supernet:
    """The supernet of a space, on torch's default device, initialised by its default generator.

    Further spaces join with ``build_supernet.register(MySpace)(build)``.

    Args:
        space: whose architectures share weights.
        settings: skeleton and head.
        in_channels: channels of the images.
        classes: number of classes.
        weights: what has operations with weights of its own.
        norms: how its cells normalise.

    Raises:
        InputError: there is no supernet for this space, or not with these settings.
    """
    raise InputError("space", space.name, "has no supernet for images; conv-cell, insta and nasbench201 have one")


def has_supernet(space: SearchSpace) -> bool:
    """Whether ``build_supernet`` knows the space."""
    return knows(build_supernet, space)


build_supernet.register(ConvCellSpace)(build_conv_supernet)
build_supernet.register(InstaSpace)(build_insta_supernet)
build_supernet.register(NASBench201Space)(build_nasbench201_supernet)


@build_supernet.register(EnumeratedSpace)
def _(
    space: EnumeratedSpace,
    settings: NetworkSettings,
    in_channels: int,
    classes: int,
    weights: WeightSharing = "edge",
    norms: CellNorms = AS_CHILDREN,
) -> Supernet:
    return build_supernet(space.whole, settings, in_channels, classes, weights, norms)
