import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from naopt.networks.operations import BatchNorm, FactorizedReduce, Pool, operations
from naopt.spaces.operations import operation_specs


def test_every_operation_that_has_a_name_is_implemented() -> None:
    assert operations.names() == operation_specs.names()


@pytest.mark.parametrize("name", operation_specs.names())
@settings(max_examples=8, deadline=None)
@given(channels=st.integers(2, 5), height=st.integers(1, 9), width=st.integers(1, 9), stride=st.sampled_from([1, 2]))
def test_shapes_are_kept_or_halved_for_any_size_and_channels(
    name: str, channels: int, height: int, width: int, stride: int
) -> None:
    y = operations.get(name)(channels, stride)(torch.randn(2, channels, height, width))
    assert y.shape == (2, channels, math.ceil(height / stride), math.ceil(width / stride))
    assert torch.isfinite(y).all()


@pytest.mark.parametrize("kernel", [2, 3, 5, 7])
@pytest.mark.parametrize("kind", ["max", "avg"])
@pytest.mark.parametrize("stride", [1, 2])
def test_padding_counts_for_nothing_in_pools(kind: str, kernel: int, stride: int) -> None:
    pool = Pool(kind, kernel, stride)
    for size in (1, 2, 7, 8):
        x = torch.full((1, 1, size, size), -3.0)
        assert torch.equal(pool(x), torch.full_like(pool(x), -3.0))
    assert f"{kind}, kernel={kernel}, stride={stride}" in repr(pool)


@pytest.mark.parametrize("kernel", [2, 3, 5, 7])
@pytest.mark.parametrize("stride", [1, 2])
def test_pools_against_windows_written_out(kernel: int, stride: int) -> None:
    x = torch.randn(1, 1, 7, 6)
    before = 0 if kernel == 2 else kernel // 2
    for kind in ("max", "avg"):
        y = Pool(kind, kernel, stride)(x)
        for i in range(y.shape[2]):
            for j in range(y.shape[3]):
                top, left = i * stride - before, j * stride - before
                window = x[0, 0, max(top, 0) : top + kernel, max(left, 0) : left + kernel]
                expected = window.max() if kind == "max" else window.mean()
                assert y[0, 0, i, j] == pytest.approx(float(expected), abs=1e-6)


def test_factorized_reduce_sees_every_other_pixel_and_those_between() -> None:
    reduce = FactorizedReduce(1, 2).eval()
    nn.init.ones_(reduce.straight.weight)
    nn.init.ones_(reduce.shifted.weight)
    x = torch.arange(9.0).reshape(1, 1, 3, 3)
    straight, shifted = reduce(x)[0] * math.sqrt(1 + 1e-5)
    assert torch.allclose(straight, torch.tensor([[0.0, 2.0], [6.0, 8.0]]))
    assert torch.allclose(shifted, torch.tensor([[4.0, 0.0], [0.0, 0.0]]))


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("conv1x1", 16 + 8),
        ("conv3x3", 9 * 16 + 8),
        ("conv1x3-3x1", 2 * (3 * 16 + 8)),
        ("conv1x7-7x1", 2 * (7 * 16 + 8)),
        ("sep_conv5x5", 2 * (25 * 4 + 16 + 8)),
        ("dil_conv3x3", 9 * 4 + 16 + 8),
        ("max_pool5x5", 0),
        ("identity", 0),
    ],
)
def test_parameter_counts_on_four_channels(name: str, count: int) -> None:
    assert sum(p.numel() for p in operations.get(name)(4, 1).parameters()) == count


def test_the_stride_costs_no_parameters_except_in_identity() -> None:
    for name in operations.names():
        counts = [sum(p.numel() for p in operations.get(name)(4, s).parameters()) for s in (1, 2)]
        assert counts[1] - counts[0] == (16 + 8 if name == "identity" else 0)


def test_batch_norm_is_torchs() -> None:
    ours, theirs = BatchNorm(3), nn.BatchNorm2d(3)
    for _ in range(3):
        x = torch.randn(4, 3, 2, 2)
        assert torch.equal(ours(x), theirs(x))
    assert torch.equal(ours.eval()(x), theirs.eval()(x))
    theirs.load_state_dict(dict(ours.state_dict()))
    assert int(theirs.num_batches_tracked or 0) == 0
