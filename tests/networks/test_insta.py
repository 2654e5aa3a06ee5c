"""Networks of the meta-graph and their supernet against plain versions, by hand, and against each other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from naopt.errors import InputError
from naopt.networks.base import ChildNetwork, count_multiply_adds, count_parameters
from naopt.networks.build import build_network
from naopt.networks.build_supernet import build_supernet
from naopt.networks.cell_norms import CellNorms
from naopt.networks.insta import InstaBlock, InstaNetwork, InvertedResidualLayers, summed
from naopt.networks.settings import NetworkSettings
from naopt.networks.supernet_insta import InstaSupernet
from naopt.spaces import InstaSpace, parse_architecture
from naopt.spaces.insta import BlockShape, InvertedResidual
from tests.networks.paths import path
from tests.networks.supernet_oracle import (
    CLASSES,
    assert_computes_the_child,
    assert_gradients_of,
    on_path,
    unsettle,
    with_gradient,
)

SPACE = InstaSpace(4, 2, "mb3e1+mb3e2+mb5e3")
SMALL = NetworkSettings(filters=3)
MIXED = "insta:mb3e1+mb5e3,skip/mb3e2,mb3e1+mb3e2+mb5e3"

pytestmark = pytest.mark.usefixtures("double_precision")


def network_of(text: str, settings: NetworkSettings = SMALL) -> InstaNetwork:
    network = build_network(SPACE, SPACE.parse(text), settings, 3, CLASSES)
    assert isinstance(network, InstaNetwork)
    return network


def supernet(settings: NetworkSettings = SMALL, norms: CellNorms | None = None) -> InstaSupernet:
    network = build_supernet(SPACE, settings, 3, CLASSES, norms=norms or CellNorms())
    assert isinstance(network, InstaSupernet)
    unsettle(network)
    return network


def plain(module: nn.Module, x: Tensor, stride: int) -> Tensor:
    """An inverted residual, read off its weights: the first convolution widens if it is not depthwise."""
    layers = [each for each in module.modules() if isinstance(each, nn.Conv2d | nn.BatchNorm2d)]
    for conv, norm in zip(layers[::2], layers[1::2], strict=True):
        assert isinstance(conv, nn.Conv2d)
        assert isinstance(norm, nn.BatchNorm2d)
        deep = conv.weight.shape[1] == 1 < conv.weight.shape[0]
        padding, groups = conv.weight.shape[2] // 2, len(conv.weight) if deep else 1
        x = F.conv2d(x, conv.weight, None, stride if deep else 1, padding, groups=groups)
        x = F.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias)
        if norm is not layers[-1]:
            x = x.clamp(0, 6)
    return x


def test_a_network_against_its_definition() -> None:
    network = network_of(MIXED).eval()
    for value in (*network.parameters(), *network.buffers()):
        if value.is_floating_point():
            value.data = torch.rand_like(value) - 0.3 * (value.ndim == 4)
    images = torch.randn(2, 3, 7, 9)
    conv, norm = network.stem[0], network.stem[1]
    assert isinstance(conv, nn.Conv2d)
    assert isinstance(norm, nn.BatchNorm2d)
    x = norm(F.conv2d(images, conv.weight, padding=1)).clamp(0, 6)
    for block, stride, shortcut in zip(network.blocks, (1, 1, 2, 1), (True, True, False, True), strict=True):
        assert isinstance(block, InstaBlock)
        total = x if shortcut else torch.zeros(())
        for operation in block.operations.values():
            total = total + plain(operation, x, stride)
        x = total
    assert x.shape == (2, 6, 4, 5)
    expected = network.classifier(network.norm(x).clamp(0, 6).mean((2, 3)))
    assert torch.allclose(network(images), expected, atol=1e-12)


def test_a_block_without_operations_is_the_identity() -> None:
    block, x = InstaBlock(BlockShape(3, 3, 1), []), torch.randn(2, 3, 5, 5)
    assert torch.equal(block(x), x)
    held = InstaBlock(BlockShape(3, 3, 1), SPACE.operations)
    assert torch.equal(held(x, ()), x)
    with pytest.raises(AssertionError, match="needs an active operation"):
        summed(x, [], shortcut=False)


def test_inputs_are_left_as_they_are() -> None:
    """Sums are in place, but not of what others read."""
    block, x = InstaBlock(BlockShape(3, 3, 1), SPACE.operations), torch.randn(2, 3, 5, 5)
    before = x.clone()
    block(x)
    assert torch.equal(x, before)


def test_parameters_and_multiply_adds_by_hand() -> None:
    """Widths 2 and 4 on a 4x4 image: a stem, one operation without and one with an expansion, a classifier."""
    space, architecture = parse_architecture("insta:mb3e1/mb5e3")
    network = build_network(space, architecture, NetworkSettings(filters=2), 1, 3)
    stem, first = 9 * 2 + 4, (9 * 2 + 4) + (2 * 2 + 4)
    second = (2 * 6 + 12) + (25 * 6 + 12) + (6 * 4 + 8)
    assert count_parameters(network) == stem + first + second + 8 + 15
    macs = 16 * 9 * 2 + 16 * (9 * 2 + 2 * 2) + (16 * 2 * 6 + 4 * (25 * 6 + 6 * 4)) + 4 * 3
    assert count_multiply_adds(network, (1, 4, 4)) == macs


def test_inverted_residuals_rectify_at_six_and_not_at_the_end() -> None:
    layers = list(InvertedResidualLayers(InvertedResidual(3, 2), BlockShape(2, 2, 1)))
    assert [type(layer).__name__ for layer in layers] == [
        "Conv2d", "BatchNorm", "ReLU6", "Conv2d", "BatchNorm", "ReLU6", "Conv2d", "BatchNorm",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "options", [{}, {"auxiliary_weight": 0.4, "dropout": 0.2, "drop_path_keep": 0.5}], ids=["plain", "regularised"]
)
def test_a_path_is_the_child(options: dict[str, Any]) -> None:
    settings = NetworkSettings.parse({"filters": 3} | options)
    network, rng, images = supernet(settings), np.random.default_rng(0), torch.randn(3, 3, 8, 8)
    network.progress = 0.9
    texts = [MIXED, "insta:skip,skip/mb5e3,skip", *(SPACE.format(SPACE.sample(rng)) for _ in range(3))]
    for text in texts:
        architecture = SPACE.parse(text)
        child = assert_computes_the_child(network, architecture, settings, images)
        assert assert_gradients_of(child, network, architecture) > 0
        assert with_gradient(network) == on_path(network)
        named = {name.split(".")[1] + name.split(".")[3] for name in on_path(network) if name.startswith("blocks.")}
        blocks = text.removeprefix("insta:").replace("/", ",").split(",")
        listed = {(str(at), word) for at, words in enumerate(blocks) for word in words.split("+") if word != "skip"}
        assert named == {at + word for at, word in listed}


def test_all_operations_are_the_first_path() -> None:
    network, every = supernet().eval(), SPACE.architecture([1] * len(SPACE.positions))
    assert on_path(network) == {name for name, _ in network.named_parameters()}
    images = torch.randn(2, 3, 8, 8)
    first = network(images)
    network.choose(path(network, every.tokens))
    assert torch.equal(network(images), first)


def test_drop_path_drops_operations_of_blocks_with_a_shortcut() -> None:
    shapes = {True: BlockShape(3, 3, 1), False: BlockShape(3, 6, 2)}
    x = torch.randn(64, 3, 4, 4)
    for shortcut, shape in shapes.items():
        block = InstaBlock(shape, SPACE.operations[:1]).eval()
        whole, dropped = block(x), block(x, keep=0.5)
        same = (whole == dropped).flatten(1).all(1)
        untouched = (x == dropped).flatten(1).all(1) if shortcut else torch.zeros(64, dtype=torch.bool)
        assert (untouched.sum() > 10) == shortcut
        assert same.all() == (not shortcut)
        assert not shortcut or torch.allclose(dropped[~untouched] - x[~untouched], 2 * (whole - x)[~untouched])


def test_the_auxiliary_classifier_reads_the_first_block_of_the_last_stage() -> None:
    network = network_of(MIXED, NetworkSettings(filters=3, auxiliary_weight=0.4))
    seen: list[Tensor] = []
    assert network.auxiliary is not None
    network.auxiliary.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    network.blocks[2].register_forward_hook(lambda _module, _inputs, output: seen.append(output))
    network(torch.randn(2, 3, 8, 8))
    assert seen[0] is seen[1]


def test_fixed_normalisations_are_those_of_operations() -> None:
    network = supernet(norms=CellNorms(affine=False))
    fixed = {name for name, parameter in network.named_parameters() if not parameter.requires_grad}
    norms = {name for name, parameter in network.blocks.named_parameters(prefix="blocks") if parameter.ndim == 1}
    assert fixed == norms
    assert isinstance(network, ChildNetwork)


def test_what_there_is_not() -> None:
    with pytest.raises(InputError, match="weights 'node': must be edge or branch for the supernet of insta"):
        build_supernet(SPACE, SMALL, 3, CLASSES, "node")
    large = NetworkSettings(filters=3, skeleton="imagenet")
    for build in (lambda: build_supernet(SPACE, large, 3, CLASSES), lambda: network_of(MIXED, large)):
        with pytest.raises(InputError, match="skeleton 'imagenet': must be cifar for blocks of insta"):
            build()
