"""A network as a list of single operations with their shapes, and what these cost. Imports no torch.

The list says what the network computes for one image in evaluation mode: each operation once, in the order in which it
is carried out. Maps are ``(channels, height, width)``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

Map = tuple[int, int, int]
Pair = tuple[int, int]

VIEWS = frozenset({"input", "crop"})
"""Kinds that write nothing."""
BYTES = 4
"""Of a float32 number."""


class Layer(NamedTuple):
    """One operation.

    Attributes:
        kind: ``conv`` (without bias), ``norm`` (batch normalisation), ``relu``, ``relu6``, ``max`` and ``avg`` (pools
            that count no padding), ``add``, ``concat``, ``subsample`` (every other pixel, from ``shift`` on), ``pad``
            (zeros on the right and at the bottom), ``crop`` (a view without the first ``shift`` rows and columns),
            ``zeros``, ``mean`` (of all pixels), ``linear`` (with bias); ``input``, the image.
        sources: places in the list of what it reads.
        shape: of its output.
        reads: channels of its first source.
        kernel: of a convolution or pool.
        stride: likewise.
        padding: likewise.
        dilation: of a convolution.
        groups: of a convolution.
        shift: see ``kind``.
        ceil: a pool's last window may stand out.
    """

    kind: str
    sources: tuple[int, ...]
    shape: Map
    reads: int
    kernel: Pair = (1, 1)
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    dilation: int = 1
    groups: int = 1
    shift: int = 0
    ceil: bool = False

    @property
    def params(self) -> int:
        """Trainable parameters: ``k l c d / groups``, 2 d, and (c + 1) d, from c to d channels."""
        if self.kind == "conv":
            return math.prod(self.kernel) * self.reads // self.groups * self.shape[0]
        if self.kind == "norm":
            return 2 * self.shape[0]
        return (self.reads + 1) * self.shape[0] if self.kind == "linear" else 0

    @property
    def macs(self) -> int:
        """Multiplications, each with its addition, of a convolution (padding included) or linear layer; else 0."""
        if self.kind == "conv":
            return self.params * self.shape[1] * self.shape[2]
        return self.reads * self.shape[0] if self.kind == "linear" else 0

    @property
    def activations(self) -> int:
        """Numbers that it writes: elements of its output; 0 of a view."""
        return 0 if self.kind in VIEWS else math.prod(self.shape)


@dataclass(frozen=True, slots=True)
class Totals:
    """What a network costs for one example.

    Attributes:
        params: trainable parameters, without an auxiliary head.
        macs: multiplications, each with its addition, of convolutions and linear layers (products of matrices).
        activations: elements of the outputs of all operations, views excepted; element-wise ones, pools, sums and
            joined maps count, and those in place count too.
        peak_memory: bytes of the weights and of the maps that are alive at once at the worst moment, in float32: each
            operation in turn, its output in memory of its own, and a map is freed after the last operation that
            reads it.
    """

    params: int
    macs: int
    activations: int
    peak_memory: int


def totals(layers: Sequence[Layer]) -> Totals:
    """Sums over all layers."""
    params = sum(layer.params for layer in layers)
    buffers = sum(layer.params for layer in layers if layer.kind == "norm")  # running mean and variance
    return Totals(
        params,
        sum(layer.macs for layer in layers),
        sum(layer.activations for layer in layers),
        BYTES * (params + buffers + _most_alive(layers)),
    )


def _most_alive(layers: Sequence[Layer]) -> int:
    """Elements of maps that are alive at once, at most."""
    owner = list(range(len(layers)))
    for index, layer in enumerate(layers):
        if layer.kind == "crop":
            owner[index] = owner[layer.sources[0]]
    last = dict(zip(owner, owner, strict=True))
    for index, layer in enumerate(layers):
        for source in layer.sources:
            last[owner[source]] = index
    alive = most = 0
    leaving: dict[int, int] = {}
    for index, layer in enumerate(layers):
        if owner[index] == index:
            size = math.prod(layer.shape)
            alive += size
            leaving[last[index]] = leaving.get(last[index], 0) + size
        most = max(most, alive)
        alive -= leaving.pop(index, 0)
    return most


class Plan:
    """A list of layers that grows; each method adds one and returns its place.

    Args:
        image: shape of the input.

    Attributes:
        layers: so far; the first is the input.
    """

    def __init__(self, image: Map) -> None:
        self.layers = [Layer("input", (), image, 0)]

    def shape(self, at: int) -> Map:
        """Of what a layer gives."""
        return self.layers[at].shape

    def _add(self, layer: Layer) -> int:
        self.layers.append(layer)
        return len(self.layers) - 1

    def conv(
        self, x: int, channels: int, kernel: Pair, stride: Pair = (1, 1), *, dilation: int = 1, groups: int = 1
    ) -> int:
        """A convolution without bias; padding keeps the size, up to the stride."""
        reads, height, width = self.shape(x)
        padding = (dilation * (kernel[0] // 2), dilation * (kernel[1] // 2))
        spread = [dilation * (k - 1) for k in kernel]
        size = [
            (n + 2 * p - e - 1) // s + 1 for n, p, e, s in zip((height, width), padding, spread, stride, strict=True)
        ]
        shape = (channels, size[0], size[1])
        return self._add(Layer("conv", (x,), shape, reads, kernel, stride, padding, dilation, groups))

    def pool(self, x: int, kind: str, kernel: Pair, stride: Pair, padding: Pair = (0, 0), *, ceil: bool = False) -> int:
        """A pool, ``max`` or ``avg``."""
        channels, height, width = self.shape(x)
        size = []
        for n, k, s, p in zip((height, width), kernel, stride, padding, strict=True):
            room = n + 2 * p - k
            size.append((-(-room // s) if ceil else room // s) + 1)
        shape = (channels, size[0], size[1])
        return self._add(Layer(kind, (x,), shape, channels, kernel, stride, padding, ceil=ceil))

    def same(self, x: int, kind: str) -> int:
        """``norm``, ``relu``, ``relu6`` or ``zeros`` of the shape of what it reads."""
        return self._add(Layer(kind, (x,), self.shape(x), self.shape(x)[0]))

    def add(self, first: int, second: int) -> int:
        """A sum."""
        return self._add(Layer("add", (first, second), self.shape(first), self.shape(first)[0]))

    def concat(self, parts: Sequence[int]) -> int:
        """Maps joined along their channels; one alone stays itself."""
        if len(parts) == 1:
            return parts[0]
        _, height, width = self.shape(parts[0])
        channels = sum(self.shape(part)[0] for part in parts)
        return self._add(Layer("concat", tuple(parts), (channels, height, width), self.shape(parts[0])[0]))

    def subsample(self, x: int, shift: int) -> int:
        """Every other pixel."""
        channels, height, width = self.shape(x)
        shape = (channels, (height + 1 - shift) // 2, (width + 1 - shift) // 2)
        return self._add(Layer("subsample", (x,), shape, channels, shift=shift))

    def resized(self, x: int, kind: str, size: Pair, shift: int = 0) -> int:
        """``pad`` or ``crop`` to a size."""
        channels = self.shape(x)[0]
        return self._add(Layer(kind, (x,), (channels, *size), channels, shift=shift))

    def head(self, x: int, classes: int) -> int:
        """Global pooling and classifier."""
        channels = self.shape(x)[0]
        mean = self._add(Layer("mean", (x,), (channels, 1, 1), channels))
        return self._add(Layer("linear", (mean,), (classes, 1, 1), channels))
