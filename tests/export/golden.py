"""Image classifier, found by naopt, trained on the task digits.

Space:

    conv-cell:nodes=2,operations=avg_pool3x3+conv1x1+conv3x3+identity+max_pool2x2+
    sep_conv3x3

Architecture:

    normal:conv3x3@0+avg_pool3x3@1,identity@2+sep_conv3x3@1/
    reduction:identity@0+max_pool2x2@0,conv1x1@2+conv1x1@0

Test accuracy: 97.26 %.

Its weights are in golden.safetensors, beside this file; only torch is needed:

    network = load()
    name, probability = predict(network, image)

Written by naopt VERSION.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WEIGHTS = Path(__file__).with_suffix(".safetensors")
if not WEIGHTS.exists():
    WEIGHTS = Path(__file__).with_name("golden.safetensors")
CLASSES = ("cat", "dog", "cow")
INPUT_SHAPE = (2, 9, 7)  # channels, height, width
MEAN = (100.0, 101.0)  # of the training images' pixels
DEVIATION = (60.5, 61.5)


def conv(inputs: int, outputs: int, kernel: int = 1, stride: int = 1) -> nn.Sequential:
    """ReLU, square convolution, batch normalisation."""
    return nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
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


class NormalCell(nn.Module):
    """Keeps the map; nodes are sums of two branches."""

    def __init__(
        self,
        older: int,
        newer: int,
        channels: int,
        *,
        halved: bool = False,
    ) -> None:
        super().__init__()
        self.older = calibrate(older, channels, halved=halved)
        self.newer = calibrate(newer, channels)
        self.node2_conv3x3 = conv(channels, channels, 3)
        self.node3_sep_conv3x3 = sep_conv(channels, 3)

    def forward(self, older: Tensor, newer: Tensor) -> Tensor:
        """From the outputs of the cell before the last one and of the last one."""
        s0, s1 = self.older(older), self.newer(newer)
        s2 = self.node2_conv3x3(s0) + avg_pool(s1, 3)
        s3: Tensor = s2 + self.node3_sep_conv3x3(s1)
        return s3


class ReductionCell(nn.Module):
    """Halves the map; nodes are sums of two branches."""

    def __init__(
        self,
        older: int,
        newer: int,
        channels: int,
        *,
        halved: bool = False,
    ) -> None:
        super().__init__()
        self.older = calibrate(older, channels, halved=halved)
        self.newer = calibrate(newer, channels)
        self.node2_identity = halve(channels, channels)
        self.node3_conv1x1 = conv(channels, channels)
        self.node3_conv1x1_b = conv(channels, channels, 1, 2)
        self.reduce_s1 = FactorizedReduce(channels, channels)

    def forward(self, older: Tensor, newer: Tensor) -> Tensor:
        """From the outputs of the cell before the last one and of the last one."""
        s0, s1 = self.older(older), self.newer(newer)
        s2 = self.node2_identity(s0) + max_pool(s0, 2, 2)
        s3 = self.node3_conv1x1(s2) + self.node3_conv1x1_b(s0)
        s1 = self.reduce_s1(s1)
        return torch.cat((s1, s3), 1)


class Network(nn.Module):
    """Stem, 1 x 3 normal cells with reduction cells between, pooling, classifier."""

    mean: Tensor
    deviation: Tensor

    def __init__(self) -> None:
        super().__init__()
        mean = torch.tensor(MEAN).view(-1, 1, 1)
        self.register_buffer("mean", mean, persistent=False)
        deviation = torch.tensor(DEVIATION).view(-1, 1, 1)
        self.register_buffer("deviation", deviation, persistent=False)
        self.stem = nn.Sequential(
            nn.Conv2d(2, 12, 3, padding=1, bias=False),
            nn.BatchNorm2d(12),
        )
        self.cells = nn.ModuleList(
            [
                NormalCell(12, 12, 4),
                ReductionCell(12, 4, 8),
                NormalCell(4, 16, 8, halved=True),
                ReductionCell(16, 8, 16),
                NormalCell(8, 32, 16, halved=True),
            ]
        )
        self.classifier = nn.Linear(16, len(CLASSES))

    def forward(self, images: Tensor) -> Tensor:
        """Logits (n, 3) of images (n, 2, 9, 7), pixels as in the task."""
        x = (images - self.mean) / self.deviation
        older = newer = self.stem(x)
        for cell in self.cells:
            older, newer = newer, cell(older, newer)
        features = newer.relu().mean((2, 3))
        logits: Tensor = self.classifier(features)
        return logits


def load(path: Path = WEIGHTS) -> Network:
    """The network with its weights, in evaluation mode."""
    if not path.exists():
        hint = "its weights were written as golden.safetensors: load(PATH)"
        raise FileNotFoundError(f"{path} is not there; {hint}")
    network = Network()
    network.load_state_dict(read_safetensors(path))
    return network.eval()


def predict(network: Network, image: Tensor) -> tuple[str, float]:
    """The most likely class of an image (2, 9, 7), and its probability."""
    if tuple(image.shape) != INPUT_SHAPE:
        raise ValueError(f"the image is {tuple(image.shape)}, not {INPUT_SHAPE}")
    with torch.inference_mode():
        probability, index = network(torch.as_tensor(image)[None])[0].softmax(0).max(0)
    return CLASSES[int(index)], float(probability)
