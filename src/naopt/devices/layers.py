"""The layers of a network, as a device runs them."""

from __future__ import annotations

from naopt.devices.setting import Setting
from naopt.networks.costs import Layer, describe
from naopt.spaces import Architecture, SearchSpace


def layers_of(space: SearchSpace, architecture: Architecture, setting: Setting) -> tuple[Layer, ...]:
    """The layers of a network under a setting."""
    return describe(space, architecture, setting.network, setting.image, setting.classes)
