"""Layers that read what a cell joined: loose ends, whose number depends on the architecture."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from naopt.networks.operations import BatchNorm, FactorizedReduce, Preactivated


@dataclass(frozen=True, slots=True)
class Joined:
    """The output of a cell, or of a stem, as a layer's input.

    Attributes:
        channels: of the whole, or of each end.
        ends: every end that may be among those joined; empty where the width is the same for all architectures.
    """

    channels: int
    ends: tuple[int, ...] = ()


class EndWeights(nn.Module):
    """Weights of a layer for every end; ``join`` says which are read, in the order in which they are joined.

    Each end has a parameter of its own, so that one that is not read gets no gradient.

    Args:
        source: with ends.
        shape: of one end's weights; their second dimension is the input's.
    """

    def __init__(self, source: Joined, shape: tuple[int, ...]) -> None:
        super().__init__()
        self._of_end = {end: nn.Parameter(torch.empty(shape)) for end in source.ends}
        for end, parameter in self._of_end.items():
            self.register_parameter(str(end), parameter)
        self.join(source.ends)

    def join(self, ends: Sequence[int]) -> None:
        """Reads these ends from now on."""
        self.parts = self.parts_of(ends)

    def parts_of(self, ends: Sequence[int]) -> tuple[nn.Parameter, ...]:
        """The weights for each of these ends."""
        return tuple(self._of_end[end] for end in ends)

    def whole(self, parts: tuple[nn.Parameter, ...]) -> Tensor:
        """The weights as the child's own layer has them."""
        return parts[0] if len(parts) == 1 else torch.cat(parts, 1)

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """What the layer computes from the joined ends."""


class EndConv(EndWeights):
    """1x1 convolution without bias, initialised as a child's own is: by fan-out, which the input's width is no part of.

    Args:
        source: with ends.
        out_channels: of the output.
    """

    def __init__(self, source: Joined, out_channels: int) -> None:
        super().__init__(source, (out_channels, source.channels, 1, 1))
        for parameter in self.parameters():
            nn.init.kaiming_normal_(parameter, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """``(n, joined, h, w)`` to ``(n, out_channels, h, w)``."""
        return F.conv2d(x, self.whole(self.parts))


class EndLinear(EndWeights):
    """Linear layer, initialised as ``torch.nn.Linear`` is for an input of all ends.

    Args:
        source: with ends.
        out_features: of the output.
    """

    def __init__(self, source: Joined, out_features: int) -> None:
        super().__init__(source, (out_features, source.channels))
        bound = 1 / math.sqrt(source.channels * len(source.ends))
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound)
        self.bias = nn.Parameter(torch.zeros(out_features))

    def forward(self, x: Tensor) -> Tensor:
        """``(n, joined)`` to ``(n, out_features)``."""
        return F.linear(x, self.whole(self.parts), self.bias)


def pointwise(source: Joined, out_channels: int) -> nn.Module:
    """1x1 convolution of what was joined."""
    if source.ends:
        return EndConv(source, out_channels)
    return nn.Conv2d(source.channels, out_channels, 1, bias=False)


def calibration(source: Joined, channels: int, *, halves: bool) -> Preactivated:
    """Brings what was joined to ``channels``, and to half its size if it ``halves``, as ``CellPath`` says."""
    if not halves:
        return Preactivated(pointwise(source, channels), BatchNorm(channels))
    reduce = FactorizedReduce(source.channels, channels)
    half = channels // 2
    reduce.register_module("straight", pointwise(source, half))
    reduce.register_module("shifted", pointwise(source, channels - half))
    return Preactivated(reduce)


def end_weights(module: nn.Module) -> list[EndWeights]:
    """All of a module's layers with weights for ends."""
    return [layer for layer in module.modules() if isinstance(layer, EndWeights)]


def lasting_parameters(module: nn.Module) -> list[nn.Parameter]:
    """A module's parameters that do not depend on what is joined."""
    depending = {id(part) for layer in end_weights(module) for name, part in layer.named_parameters() if name != "bias"}
    return [parameter for parameter in module.parameters() if id(parameter) not in depending]


def inherited(module: nn.Module, ends: Sequence[int] = ()) -> Iterator[tuple[str, Tensor]]:
    """Names and tensors of a child's own module, which reads these ends, with a supernet's weights."""
    for name, layer in module.named_modules():
        prefix = f"{name}." if name else ""
        if isinstance(layer, EndWeights):
            yield f"{prefix}weight", layer.whole(layer.parts_of(ends)).detach()
            if isinstance(layer, EndLinear):
                yield f"{prefix}bias", layer.bias.detach()
            continue
        for key, parameter in layer.named_parameters(recurse=False):
            yield prefix + key, parameter.detach()
        for key, buffer in layer.named_buffers(recurse=False):
            yield prefix + key, buffer
