"""The building blocks of exported PyTorch files: ``naopt.export.source`` copies those that a network needs.

They need only torch, and compute what ``naopt.networks.operations`` computes with the same names inside; tests compare
the two over all operations. Lines have at most 88 characters, so that any formatter leaves an exported file alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def conv(inputs: int, outputs: int, kernel: int = 1, stride: int = 1) -> nn.Sequential:
    """ReLU, square convolution, batch normalisation."""
    return nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
    )


def conv_pair(channels: int, length: int, stride: int = 1) -> nn.Sequential:
    """Convolutions 1 x length and length x 1; each takes one direction's stride."""
    return nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(
            channels,
            channels,
            (1, length),
            (1, stride),
            (0, length // 2),
            bias=False,
        ),
        nn.BatchNorm2d(channels),
        nn.ReLU(),
        nn.Conv2d(
            channels,
            channels,
            (length, 1),
            (stride, 1),
            (length // 2, 0),
            bias=False,
        ),
        nn.BatchNorm2d(channels),
    )


def separable(channels: int, kernel: int, stride: int, dilation: int) -> nn.Sequential:
    """ReLU, depthwise and pointwise convolution, batch normalisation."""
    return nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(
            channels,
            channels,
            kernel,
            stride,
            dilation * (kernel // 2),
            dilation,
            groups=channels,
            bias=False,
        ),
        nn.Conv2d(channels, channels, 1, bias=False),
        nn.BatchNorm2d(channels),
    )


def sep_conv(channels: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """A depthwise separable convolution, twice; the stride is in the first."""
    return nn.Sequential(
        *separable(channels, kernel, stride, 1),
        *separable(channels, kernel, 1, 1),
    )


def dil_conv(channels: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """A depthwise separable convolution with dilation 2."""
    return separable(channels, kernel, stride, 2)


def max_pool(x: Tensor, kernel: int, stride: int = 1) -> Tensor:
    """Maximum over a window; padding counts for nothing, even windows look ahead."""
    if kernel % 2:
        return F.max_pool2d(x, kernel, stride, kernel // 2)
    if stride > 1:
        return F.max_pool2d(x, kernel, stride, ceil_mode=True)
    return F.max_pool2d(x, kernel, 1, kernel // 2)[:, :, kernel // 2 :, kernel // 2 :]


def avg_pool(x: Tensor, kernel: int, stride: int = 1) -> Tensor:
    """Mean over a window; padding counts for nothing, even windows look ahead."""
    pad, ahead = kernel // 2, kernel % 2 == 0
    if ahead and stride > 1:
        return F.avg_pool2d(x, kernel, stride, ceil_mode=True, count_include_pad=False)
    x = F.avg_pool2d(x, kernel, stride, pad, count_include_pad=False)
    return x[:, :, pad:, pad:] if ahead else x


class FactorizedReduce(nn.Module):
    """Halves a map: two 1x1 convolutions with stride 2, one a pixel off, joined."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        half = outputs // 2
        self.straight = nn.Conv2d(inputs, half, 1, 2, bias=False)
        self.shifted = nn.Conv2d(inputs, outputs - half, 1, 2, bias=False)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs, h, w) to (n, outputs, h / 2, w / 2), rounded up."""
        height, width = x.shape[2:]
        moved = F.pad(x[:, :, 1:, 1:], (0, width % 2, 0, height % 2))
        y: Tensor = self.norm(torch.cat((self.straight(x), self.shifted(moved)), 1))
        return y


def halve(inputs: int, outputs: int) -> nn.Sequential:
    """ReLU and factorized reduction."""
    return nn.Sequential(nn.ReLU(), FactorizedReduce(inputs, outputs))


def calibrate(inputs: int, outputs: int, *, halved: bool = False) -> nn.Module:
    """Brings an input of a cell to the cell's channels and, with `halved`, map size."""
    if halved:
        return halve(inputs, outputs)
    return nn.Identity() if inputs == outputs else conv(inputs, outputs)


def recalibrate(inputs: int, outputs: int) -> nn.Module:
    """Convolves an input with other channels than the cell once more."""
    return nn.Identity() if inputs == outputs else conv(outputs, outputs)


class ResidualReduction(nn.Module):
    """Residual block with stride 2; its shortcut pools and convolves."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            conv(inputs, outputs, 3, 2),
            conv(outputs, outputs, 3),
        )
        self.shortcut = nn.Conv2d(inputs, outputs, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs, h, w) to (n, outputs, h / 2, w / 2), rounded up."""
        half = F.avg_pool2d(x, 2, 2, ceil_mode=True)
        y: Tensor = self.body(x) + self.shortcut(half)
        return y


def inverted_residual(
    inputs: int,
    outputs: int,
    kernel: int,
    expansion: int,
    stride: int = 1,
) -> nn.Sequential:
    """Widens, convolves each channel, projects; nothing rectifies the projection."""
    wide = expansion * inputs
    layers: list[nn.Module] = []
    if expansion > 1:
        expand = nn.Conv2d(inputs, wide, 1, bias=False)
        layers += [expand, nn.BatchNorm2d(wide), nn.ReLU6()]
    return nn.Sequential(
        *layers,
        nn.Conv2d(wide, wide, kernel, stride, kernel // 2, groups=wide, bias=False),
        nn.BatchNorm2d(wide),
        nn.ReLU6(),
        nn.Conv2d(wide, outputs, 1, bias=False),
        nn.BatchNorm2d(outputs),
    )


class ParallelBlock(nn.Module):
    """The sum of all parts, and with a shortcut of the input."""

    def __init__(self, *parts: nn.Module, shortcut: bool) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs, h, w) to (n, outputs, h / stride, w / stride)."""
        results = [part(x) for part in self.parts]
        total: Tensor = sum(results[1:], results[0])
        return x + total if self.shortcut else total


def rows_of(active: Tensor) -> list[list[Tensor]]:
    """For each block and part the images for which it is active; (n, blocks, parts)."""
    counts = active.sum(0).tolist()
    rows = active.movedim(0, 2).nonzero()[:, 2]
    found = iter(torch.split(rows, [count for block in counts for count in block]))
    return [[next(found) for _ in block] for block in counts]


class GroupedBlock(nn.Module):
    """The sum of parts, each for some images only, and with a shortcut of the input."""

    def __init__(self, *parts: nn.Module, shortcut: bool) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)
        self.shortcut = shortcut

    def forward(self, x: Tensor, rows: list[Tensor]) -> Tensor:
        """(n, inputs, h, w) to (n, outputs, h / stride, w / stride)."""
        # Images lie one after the other here, and are picked and added fast.
        maps = x.movedim(1, 3)
        total = maps.clone() if self.shortcut else maps[:, :0]
        for part, some in zip(self.parts, rows, strict=True):
            if not len(some):
                continue
            whole = len(some) == len(x)
            y = part(x if whole else maps.index_select(0, some).movedim(3, 1))
            y = y.movedim(1, 3)
            if not total.shape[1]:
                total = y.new_zeros(len(x), *y.shape[1:])
            total = total.add_(y) if whole else total.index_add_(0, some, y)
        return total.movedim(3, 1)


def identity(z: Tensor) -> Tensor:
    """The argument itself."""
    return z


def highway(
    source: Tensor,
    product: Tensor,
    activation: Callable[[Tensor], Tensor],
) -> Tensor:
    """A state (n, h), mixed with a new value by a gate; the product holds both."""
    gate, value = product.chunk(2, 1)
    return torch.lerp(source, activation(value), torch.sigmoid(gate))


def read_words(path: Path) -> list[str]:
    """The vocabulary, which stands in the header of a file."""
    data = path.read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    words: list[str] = json.loads(header["__metadata__"]["words"])
    return words


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """The float32 tensors of a file: length of the header, header, numbers."""
    data = bytearray(path.read_bytes())
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        first, last = entry["data_offsets"]
        part = data[start + first : start + last]
        tensors[name] = torch.frombuffer(part, dtype=torch.float32).view(entry["shape"])
    return tensors
