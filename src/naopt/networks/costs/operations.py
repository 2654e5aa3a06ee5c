"""The operations of cells as layers: what the modules of ``naopt.networks.operations`` compute."""

from __future__ import annotations

from collections.abc import Callable

from naopt.networks.costs.layers import Plan
from naopt.registry import Registry

Relu = Callable[[], int]
Describe = Callable[[Plan, Relu, int, int, int], int]
"""``(plan, relu, x, channels, stride)`` to the place of the output, as the operation's module computes it.

``relu()`` is the place of the ReLU of ``x``, which all operations that read ``x`` share.
"""

layer_lists: Registry[Describe] = Registry("layers of operation", "naopt.operation_layers")
"""By the names of ``naopt.networks.operations.operations``."""


def conv_norm(plan: Plan, x: int, channels: int, kernel: tuple[int, int], stride: tuple[int, int] = (1, 1)) -> int:
    """Convolution, batch normalisation."""
    return plan.same(plan.conv(x, channels, kernel, stride), "norm")


def factorized_reduce(plan: Plan, x: int, channels: int) -> int:
    """See ``naopt.networks.operations.FactorizedReduce``."""
    straight, shifted = plan.subsample(x, 0), plan.subsample(x, 1)
    size = plan.shape(straight)[1:]
    if plan.shape(shifted)[1:] != size:
        shifted = plan.resized(shifted, "pad", size)
    half = channels // 2
    parts = [plan.conv(straight, half, (1, 1)), plan.conv(shifted, channels - half, (1, 1))]
    return plan.same(plan.concat(parts), "norm")


def pool(plan: Plan, x: int, kind: str, kernel: int, stride: int) -> int:
    """See ``naopt.networks.operations.Pool``."""
    even = kernel % 2 == 0
    padding = 0 if even and stride > 1 else kernel // 2
    size = plan.shape(x)[1:]
    if kind == "avg" and kernel >= 5:
        x = plan.pool(x, kind, (kernel, 1), (stride, 1), (padding, 0))
        x = plan.pool(x, kind, (1, kernel), (1, stride), (0, padding))
    else:
        x = plan.pool(x, kind, (kernel, kernel), (stride, stride), (padding, padding), ceil=even and stride > 1)
    return plan.resized(x, "crop", size, kernel // 2) if even and stride == 1 else x


@layer_lists.register("identity")
def _identity(plan: Plan, relu: Relu, x: int, channels: int, stride: int) -> int:
    return x if stride == 1 else factorized_reduce(plan, relu(), channels)


def _conv(kernel: int) -> Describe:
    def write(plan: Plan, relu: Relu, x: int, channels: int, stride: int) -> int:  # noqa: ARG001
        return conv_norm(plan, relu(), channels, (kernel, kernel), (stride, stride))

    return write


def _conv_pair(length: int) -> Describe:
    def write(plan: Plan, relu: Relu, x: int, channels: int, stride: int) -> int:  # noqa: ARG001
        y = conv_norm(plan, relu(), channels, (1, length), (1, stride))
        return conv_norm(plan, plan.same(y, "relu"), channels, (length, 1), (stride, 1))

    return write


def _separable(plan: Plan, x: int, channels: int, kernel: int, stride: int, dilation: int) -> int:
    deep = plan.conv(x, channels, (kernel, kernel), (stride, stride), dilation=dilation, groups=channels)
    return conv_norm(plan, deep, channels, (1, 1))


def _sep_conv(kernel: int) -> Describe:
    def write(plan: Plan, relu: Relu, x: int, channels: int, stride: int) -> int:  # noqa: ARG001
        y = _separable(plan, relu(), channels, kernel, stride, 1)
        return _separable(plan, plan.same(y, "relu"), channels, kernel, 1, 1)

    return write


def _dil_conv(kernel: int) -> Describe:
    def write(plan: Plan, relu: Relu, x: int, channels: int, stride: int) -> int:  # noqa: ARG001
        return _separable(plan, relu(), channels, kernel, stride, 2)

    return write


def _pool(kind: str, kernel: int) -> Describe:
    def write(plan: Plan, relu: Relu, x: int, channels: int, stride: int) -> int:  # noqa: ARG001
        return pool(plan, x, kind, kernel, stride)

    return write


for _kernel in (1, 3):
    layer_lists.register(f"conv{_kernel}x{_kernel}")(_conv(_kernel))
for _kernel in (3, 7):
    layer_lists.register(f"conv1x{_kernel}-{_kernel}x1")(_conv_pair(_kernel))
for _kernel in (3, 5, 7):
    layer_lists.register(f"sep_conv{_kernel}x{_kernel}")(_sep_conv(_kernel))
    layer_lists.register(f"dil_conv{_kernel}x{_kernel}")(_dil_conv(_kernel))
for _kernel in (2, 3, 5, 7):
    layer_lists.register(f"max_pool{_kernel}x{_kernel}")(_pool("max", _kernel))
    layer_lists.register(f"avg_pool{_kernel}x{_kernel}")(_pool("avg", _kernel))
