"""What the operations of a cell compute (NAO, appendix; separable and dilated ones: ENAS, DARTS).

Shapes: all take ``(n, c, h, w)`` and give ``(n, c, ceil(h / stride), ceil(w / stride))``.
Padding is symmetric for odd kernels and right/bottom for even ones, as in the PyTorch port.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from naopt.registry import Registry

operations: Registry[Callable[[int, int], nn.Module]] = Registry("operation", "naopt.network_operations")
"""Operation names, as in ``naopt.spaces.operations``, to factories ``(channels, stride) -> module``."""

_SEPARABLE = 5
"""From this odd size on an average pool is faster as two: measured on 4 to 128 channels, 8x8 to 32x32 pixels."""


class BatchNorm(nn.BatchNorm2d):
    """Batch normalisation that does not count batches: on tiny networks the counter's update is a cost one can see."""

    momentum: float

    def forward(self, x: Tensor) -> Tensor:
        """Normalises ``(n, c, h, w)`` by batch statistics in training, by running ones otherwise."""
        return F.batch_norm(
            x, self.running_mean, self.running_var, self.weight, self.bias, self.training, self.momentum, self.eps
        )


class Preactivated(nn.Sequential):
    """ReLU and what follows it, for callers that have the ReLU of the input already.

    All branches that read a state read the same ReLU of it: a cell computes it once. Every ReLU but the first, and the
    cell's sums, are computed in place of the output of the layer before, so the layers before a ReLU and the last one
    must not need their output for their gradient; batch normalisation does not.
    """

    def __init__(self, *layers: nn.Module) -> None:
        rest = (nn.ReLU(inplace=True) if isinstance(layer, nn.ReLU) else layer for layer in layers)
        super().__init__(nn.ReLU(), *rest)

    def forward(self, x: Tensor) -> Tensor:
        """The layers' output of ``(n, c, h, w)``, which is left as it is."""
        return self.rectified(x.relu())

    def rectified(self, x: Tensor) -> Tensor:
        """The layers' output of what is the ReLU of the input."""
        for layer in islice(self, 1, None):
            x = layer(x)
        return x


def conv_layers(
    in_channels: int, out_channels: int, kernel: tuple[int, int] = (1, 1), stride: tuple[int, int] = (1, 1)
) -> list[nn.Module]:
    """Convolution without bias, batch normalisation."""
    padding = (kernel[0] // 2, kernel[1] // 2)
    return [nn.Conv2d(in_channels, out_channels, kernel, stride, padding, bias=False), BatchNorm(out_channels)]


def conv(in_channels: int, out_channels: int, kernel: int = 1, stride: int = 1) -> Preactivated:
    """ReLU, square convolution without bias, batch normalisation."""
    return Preactivated(*conv_layers(in_channels, out_channels, (kernel, kernel), (stride, stride)))


class _Subsample(torch.autograd.Function):
    """Every other pixel, and those one down and one to the right; the gradient is written once, not added up."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> tuple[Tensor, Tensor]:
        ctx.shape = x.shape
        return _subsample(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        straight, shifted = gradients
        last = straight.is_contiguous(memory_format=torch.channels_last)
        whole = straight.new_empty(ctx.shape)
        if last:
            whole = whole.to(memory_format=torch.channels_last)
        whole.zero_()
        whole[:, :, ::2, ::2] = straight
        whole[:, :, 1::2, 1::2] = shifted
        return whole


def _subsample(x: Tensor) -> tuple[Tensor, Tensor]:
    return x[:, :, ::2, ::2].clone(), x[:, :, 1::2, 1::2].clone()


class FactorizedReduce(nn.Module):
    """Halves the map without losing every other pixel: two subsampled 1x1 convolutions, one a pixel off, joined.

    ``(n, in, h, w)`` to ``(n, out, ceil(h / 2), ceil(w / 2))``; where a side is odd, the shifted half is padded with
    zeros on the right or at the bottom. An odd number of output channels gives the shifted half one more.

    The map is subsampled before the convolutions: with their stride they would visit all of it, twice in each
    direction.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        half = out_channels // 2
        self.straight = nn.Conv2d(in_channels, half, 1, bias=False)
        self.shifted = nn.Conv2d(in_channels, out_channels - half, 1, bias=False)
        self.norm = BatchNorm(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        height, width = x.shape[2] % 2, x.shape[3] % 2
        straight, shifted = _Subsample.apply(x) if x.requires_grad else _subsample(x)  # type: ignore[no-untyped-call]
        if height or width:
            shifted = F.pad(shifted, (0, width, 0, height))
        joined: Tensor = self.norm(torch.cat((self.straight(straight), self.shifted(shifted)), 1))
        return joined


class Pool(nn.Module):
    """Pooling with SAME padding that counts for nothing: not in a maximum, not in an average.

    The official programs pad 2x2 pools, and their larger average pools, with zeros that do count; here a pool of a
    constant map is that map, at the borders too.

    Large averages are taken along columns, then along rows: the counts of a window's pixels are a product too.
    """

    def __init__(self, kind: str, kernel: int, stride: int) -> None:
        super().__init__()
        self.maximum, self.kernel, self.stride = kind == "max", kernel, stride
        even = kernel % 2 == 0
        self.crop = even and stride == 1
        self.ceil = even and stride > 1
        self.padding = 0 if self.ceil else kernel // 2

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        if self.maximum:
            x = F.max_pool2d(x, self.kernel, self.stride, self.padding, ceil_mode=self.ceil)
        elif self.kernel >= _SEPARABLE:
            x = F.avg_pool2d(x, (self.kernel, 1), (self.stride, 1), (self.padding, 0), count_include_pad=False)
            x = F.avg_pool2d(x, (1, self.kernel), (1, self.stride), (0, self.padding), count_include_pad=False)
        else:
            x = F.avg_pool2d(x, self.kernel, self.stride, self.padding, self.ceil, count_include_pad=False)
        return x[:, :, self.kernel // 2 :, self.kernel // 2 :] if self.crop else x

    def extra_repr(self) -> str:
        """Kind, kernel and stride."""
        return f"{'max' if self.maximum else 'avg'}, kernel={self.kernel}, stride={self.stride}"


def _separable(channels: int, kernel: int, stride: int, dilation: int) -> list[nn.Module]:
    padding = dilation * (kernel // 2)
    return [
        nn.Conv2d(channels, channels, kernel, stride, padding, dilation, groups=channels, bias=False),
        nn.Conv2d(channels, channels, 1, bias=False),
        BatchNorm(channels),
    ]


@operations.register("identity")
def identity(channels: int, stride: int) -> nn.Module:
    """The input itself; with a stride ReLU and ``FactorizedReduce`` (PyTorch port; TensorFlow: 1x1 convolution)."""
    return nn.Identity() if stride == 1 else Preactivated(FactorizedReduce(channels, channels))


def _conv(kernel: int) -> Callable[[int, int], nn.Module]:
    def build(channels: int, stride: int) -> nn.Module:
        return conv(channels, channels, kernel, stride)

    return build


def _conv_pair(length: int) -> Callable[[int, int], nn.Module]:
    """1 x k, then k x 1; the stride is shared out over the two (PyTorch port)."""

    def build(channels: int, stride: int) -> nn.Module:
        return Preactivated(
            *conv_layers(channels, channels, (1, length), (1, stride)),
            nn.ReLU(),
            *conv_layers(channels, channels, (length, 1), (stride, 1)),
        )

    return build


def _sep_conv(kernel: int) -> Callable[[int, int], nn.Module]:
    """Depthwise and pointwise, twice; the stride is in the first."""

    def build(channels: int, stride: int) -> nn.Module:
        return Preactivated(*_separable(channels, kernel, stride, 1), nn.ReLU(), *_separable(channels, kernel, 1, 1))

    return build


def _dil_conv(kernel: int) -> Callable[[int, int], nn.Module]:
    """Depthwise with dilation 2 and pointwise, once (DARTS)."""

    def build(channels: int, stride: int) -> nn.Module:
        return Preactivated(*_separable(channels, kernel, stride, 2))

    return build


def _pool(kind: str, kernel: int) -> Callable[[int, int], nn.Module]:
    def build(channels: int, stride: int) -> nn.Module:  # noqa: ARG001
        return Pool(kind, kernel, stride)

    return build


for _kernel in (1, 3):
    operations.register(f"conv{_kernel}x{_kernel}")(_conv(_kernel))
for _kernel in (3, 7):
    operations.register(f"conv1x{_kernel}-{_kernel}x1")(_conv_pair(_kernel))
for _kernel in (3, 5, 7):
    operations.register(f"sep_conv{_kernel}x{_kernel}")(_sep_conv(_kernel))
    operations.register(f"dil_conv{_kernel}x{_kernel}")(_dil_conv(_kernel))
for _kernel in (2, 3, 5, 7):
    operations.register(f"max_pool{_kernel}x{_kernel}")(_pool("max", _kernel))
    operations.register(f"avg_pool{_kernel}x{_kernel}")(_pool("avg", _kernel))
