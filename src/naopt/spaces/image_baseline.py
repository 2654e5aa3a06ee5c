"""The networks on images that every searched cell is compared with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from naopt.errors import ArchitectureSyntaxError
from naopt.spaces.base import Architecture, SearchSpace, Tokens
from naopt.spaces.graph import Edge, Graph, Node
from naopt.spaces.insta import BlockShape
from naopt.spaces.position import Position
from naopt.spaces.registry import spaces

NETWORKS = ("resnet-8", "resnet-14", "resnet-20", "resnet-32", "resnet-56", "mobilenet-v2", "mobilenet-v2-short")
_PREFIX = "image-baseline:"

_STEM = 32
"""Filters of MobileNetV2 at width 1."""
_STAGES = ((1, 16, 1, 1), (6, 24, 2, 1), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
"""Of MobileNetV2, Table 2: expansion, channels, blocks, stride of the first; two strides fewer, for small images."""
_LAST = 1280


@dataclass(frozen=True, slots=True)
class Block:
    """A block of a network that is a row of them.

    Attributes:
        shape: channels and stride.
        expansion: of an inverted residual; 0 for a basic block of two 3x3 convolutions.
    """

    shape: BlockShape
    expansion: int = 0


@dataclass(frozen=True, slots=True)
class Layout:
    """A network that is a row of blocks.

    Attributes:
        stem: channels of the 3x3 convolution that it begins with.
        blocks: in order.
        last: channels of the 1x1 convolution before pooling; 0 for none.
    """

    stem: int
    blocks: tuple[Block, ...]
    last: int

    @property
    def stages(self) -> tuple[int, ...]:
        """Indices of the blocks that halve the map."""
        return tuple(index for index, block in enumerate(self.blocks) if block.shape.stride == 2)


@spaces.register("image-baseline")
class ImageBaselineSpace(SearchSpace):
    """ResNets as for CIFAR, and MobileNetV2, as architectures of a space of their own.

    So they are trained, measured and sized by the same commands as searched cells. Text form:
    ``image-baseline:resnet-20``.

    ``resnet-D`` (He et al. 2016, section 4.2): a 3x3 convolution, three stages of (D - 2) / 6 basic blocks with F, 2 F
    and 4 F channels; F is ``filters``, 16 there. Shortcuts that change channels are 1x1 convolutions with
    normalisation (their option B).

    ``mobilenet-v2`` (Sandler et al. 2018): seven stages of inverted residuals, ``filters`` / 32 times as wide, the last
    layer too. As for small images its stem and the two stages after it keep the size. ``mobilenet-v2-short`` has one
    block a stage.
    """

    name = "image-baseline"
    positions = (Position("network", NETWORKS),)

    @classmethod
    def claims(cls, text: str) -> ImageBaselineSpace | None:
        """This space, if an architecture's text reads like one of its own."""
        return cls() if text.startswith(_PREFIX) else None

    def choices(self, prefix: Sequence[int]) -> Tokens:  # noqa: ARG002
        """All."""
        return tuple(range(len(NETWORKS)))

    @property
    def size(self) -> int:
        """Seven."""
        return len(NETWORKS)

    def network(self, architecture: Architecture) -> str:
        """Its name, ``resnet-20``."""
        return NETWORKS[architecture.tokens[0]]

    def layout(self, architecture: Architecture, filters: int) -> Layout:
        """Its blocks, for so many filters."""
        name = self.network(architecture)
        if name.startswith("resnet"):
            return _resnet((int(name.removeprefix("resnet-")) - 2) // 6, filters)
        return _mobilenet(filters, short=name.endswith("short"))

    def graph(self, architecture: Architecture) -> Graph:
        """From the image to the classes, by way of the network."""
        nodes = (Node("image", kind="input"), Node("classes", kind="output"))
        return Graph(nodes, (Edge(0, 1, self.network(architecture)),))

    def format(self, architecture: Architecture) -> str:
        """``image-baseline:resnet-20``."""
        return _PREFIX + self.network(architecture)

    def parse(self, text: str) -> Architecture:
        """Inverse of ``format``; space around the text is ignored."""
        stripped = text.strip()
        name = stripped.removeprefix(_PREFIX)
        if name == stripped:
            raise ArchitectureSyntaxError(stripped, 0, f"expected '{_PREFIX}'")
        if name not in NETWORKS:
            raise ArchitectureSyntaxError(stripped, len(_PREFIX), f"'{name}' is not one of {', '.join(NETWORKS)}")
        return self.architecture((NETWORKS.index(name),))


def _resnet(blocks: int, filters: int) -> Layout:
    found, inputs = list[Block](), filters
    for stage in range(3):
        outputs = filters << stage
        for index in range(blocks):
            found.append(Block(BlockShape(inputs, outputs, 2 if stage and not index else 1)))
            inputs = outputs
    return Layout(filters, tuple(found), 0)


def _mobilenet(filters: int, *, short: bool) -> Layout:
    found, inputs = list[Block](), filters
    for expansion, channels, blocks, stride in _STAGES:
        outputs = _scaled(channels, filters)
        for index in range(1 if short else blocks):
            found.append(Block(BlockShape(inputs, outputs, 1 if index else stride), expansion))
            inputs = outputs
    return Layout(filters, tuple(found), _scaled(_LAST, filters))


def _scaled(channels: int, filters: int) -> int:
    return max(1, round(channels * filters / _STEM))
