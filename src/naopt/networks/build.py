"""From an architecture to the network it stands for."""

from __future__ import annotations

from functools import singledispatch
from typing import TYPE_CHECKING

from naopt.errors import InputError
from naopt.networks.convolutional import build_convolutional
from naopt.networks.image_baselines import build_image_baseline
from naopt.networks.insta import build_insta
from naopt.networks.known import knows
from naopt.networks.nasbench201 import build_nasbench201
from naopt.spaces import (
    Architecture,
    ConvCellSpace,
    EnumeratedSpace,
    ImageBaselineSpace,
    InstaSpace,
    NASBench201Space,
    SearchSpace,
)

if TYPE_CHECKING:
    from naopt.networks.base import ChildNetwork
    from naopt.networks.settings import NetworkSettings


@singledispatch
def build_network(
    space: SearchSpace,
    architecture: Architecture,  # noqa: ARG001
    settings: NetworkSettings,  # noqa: ARG001
    in_channels: int,  # noqa: ARG001
    classes: int,  # noqa: ARG001
) -> ChildNetwork:
    """The network that an architecture stands for, on torch's default device, initialised by its default generator.

    Further spaces join with ``build_network.register(MySpace)(build)``.

    Args:
        space: the architecture's space.
        architecture: what to build.
        settings: skeleton and head.
        in_channels: channels of the images.
        classes: number of classes.

    Raises:
        InputError: there are no networks for this space.
    """
    raise InputError("space", space.name, "its architectures have no network; search it with a table")


def has_image_network(space: SearchSpace) -> bool:
    """Whether ``build_network`` knows the space."""
    return knows(build_network, space)


build_network.register(ConvCellSpace)(build_convolutional)
build_network.register(ImageBaselineSpace)(build_image_baseline)
build_network.register(InstaSpace)(build_insta)
build_network.register(NASBench201Space)(build_nasbench201)


@build_network.register(EnumeratedSpace)
def _(
    space: EnumeratedSpace, architecture: Architecture, settings: NetworkSettings, in_channels: int, classes: int
) -> ChildNetwork:
    return build_network(space.whole, architecture, settings, in_channels, classes)
