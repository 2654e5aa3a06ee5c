"""The networks against the straightforward version in ``benchmarks``: same weights, same logits, same gradients."""

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from benchmarks.reference_convolution import ReferenceNetwork
from torch import Tensor, nn

from naopt.networks.build import build_network
from naopt.networks.nasbench201 import DenseCell
from naopt.networks.settings import NetworkSettings
from naopt.networks.skeleton import Place, plan
from naopt.spaces import Architecture, ConvCellSpace, NASBench201Space
from naopt.spaces.nasbench201 import OPERATIONS
from tests.networks.test_build import NAONET_A

EVERY_OPERATION = (
    "conv1x1+conv3x3+conv1x3-3x1+conv1x7-7x1+sep_conv3x3+sep_conv5x5+sep_conv7x7+dil_conv3x3+dil_conv5x5+dil_conv7x7"
    "+max_pool2x2+max_pool3x3+max_pool5x5+max_pool7x7+avg_pool2x2+avg_pool3x3+avg_pool5x5+avg_pool7x7+identity"
)


def pair(
    space: ConvCellSpace, architecture: Architecture, filters: int, stage: int = 1
) -> tuple[nn.Module, ReferenceNetwork]:
    settings = NetworkSettings(cells_per_stage=stage, filters=filters)
    ours = build_network(space, architecture, settings, 3, 10)
    cells = space.cells(architecture)
    reference = ReferenceNetwork(cells["normal"], cells["reduction"], stage, filters, 3, 10)
    reference.load_state_dict(ours.state_dict())
    return ours, reference


def results(network: nn.Module, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """Logits, gradients and, after the step, running statistics and logits by them."""
    images = images.clone().requires_grad_()
    logits = network.train()(images)
    F.cross_entropy(logits, labels).backward()  # type: ignore[no-untyped-call]
    found = {name: parameter.grad for name, parameter in network.named_parameters() if parameter.grad is not None}
    assert images.grad is not None
    found |= {"images": images.grad, "logits": logits.detach()}
    found |= {name: value for name, value in network.named_buffers() if "num_batches" not in name}
    with torch.no_grad():
        found["evaluation"] = network.eval()(images)
    return found


def assert_same(ours: dict[str, Tensor], reference: dict[str, Tensor], tolerance: float) -> None:
    assert ours.keys() == reference.keys()
    for name, expected in reference.items():
        error = float((ours[name] - expected).abs().max() / (expected.abs().max() + 1e-3))
        assert error < tolerance, f"{name} differs by {error:.1e} of its largest value"


@pytest.mark.parametrize(
    ("nodes", "operations", "output"),
    [
        (5, "nao-11", "loose-ends"),
        (5, "enas-5", "loose-ends"),
        (3, EVERY_OPERATION, "loose-ends"),
        (4, EVERY_OPERATION, "nodes"),
        (1, "conv3x3+identity", "loose-ends"),
        (2, "max_pool3x3+identity+avg_pool2x2", "loose-ends"),
    ],
)
@pytest.mark.parametrize("size", [(8, 8), (7, 10)])
def test_double_precision_on_random_cells(nodes: int, operations: str, output: str, size: tuple[int, int]) -> None:
    space = ConvCellSpace(nodes, operations, output)
    rng = np.random.default_rng(nodes)
    for seed in range(4):
        torch.manual_seed(seed)
        ours, reference = (network.double() for network in pair(space, space.sample(rng), 3))
        images, labels = torch.randn(5, 3, *size, dtype=torch.float64), torch.randint(10, (5,))
        assert_same(results(ours, images, labels), results(reference, images, labels), 1e-8)


@pytest.mark.parametrize(("stage", "filters", "size"), [(1, 8, 16), (2, 4, 8)])
def test_single_precision_on_naonet_a(stage: int, filters: int, size: int) -> None:
    space = ConvCellSpace()
    torch.manual_seed(1)
    ours, reference = pair(space, space.parse(NAONET_A), filters, stage)
    images, labels = torch.randn(16, 3, size, size), torch.randint(10, (16,))
    assert_same(results(ours, images, labels), results(reference, images, labels), 2e-4)


def plain_dense_cell(cell: DenseCell, x: Tensor) -> Tensor:
    """The cell of NAS-Bench-201 as its paper writes it (section 2.1): each node sums its edges."""
    states = [x]
    for target in range(1, 4):
        total = torch.zeros_like(x)
        for source in range(target):
            if f"{source}-{target}" in cell.edges:
                total = total + cell.edges[f"{source}-{target}"](states[source])
        states.append(total)
    return states[3]


def test_nasbench201_cells_against_their_definition() -> None:
    space, rng = NASBench201Space(), np.random.default_rng(0)
    for _ in range(12):
        architecture = space.sample(rng)
        cell = DenseCell(tuple(OPERATIONS[token] for token in architecture.tokens), 4).double()
        results = []
        for forward in (cell, partial(plain_dense_cell, cell)):
            x = torch.linspace(-2, 2, 3 * 4 * 5 * 5, dtype=torch.float64).sin().reshape(3, 4, 5, 5).requires_grad_()
            y = forward(x)
            cell.zero_grad()
            y.square().sum().backward()
            results.append([y, x.grad, *(parameter.grad for parameter in cell.parameters())])
        for ours, plain in zip(*results, strict=True):
            assert (ours is None) == (plain is None)
            if ours is not None and plain is not None:
                assert torch.allclose(ours, plain, atol=1e-9)


@pytest.mark.parametrize("how", ["always", "twice"])
@pytest.mark.parametrize("skeleton", ["cifar", "imagenet"])
def test_rectifying_where_maps_are_made_changes_nothing(
    how: str, skeleton: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same networks once with every reader's own ReLU of a map that nobody rectified for it."""

    def unrectified(*arguments: Any) -> tuple[Place, ...]:
        return tuple(
            replace(place, rectified_older=False, rectified_newer=False, rectify=index == last)
            for places in [plan(*arguments)]
            for last in [len(places) - 1]
            for index, place in enumerate(places)
        )

    space = ConvCellSpace(2, "conv3x3+identity+max_pool3x3")
    rng = np.random.default_rng(5)
    settings = NetworkSettings.parse(
        {"cells_per_stage": 1, "filters": 4, "calibrate_newer": how, "skeleton": skeleton, "auxiliary_weight": 0.4}
    )
    images, labels = torch.randn(4, 3, 32, 32, dtype=torch.float64), torch.randint(10, (4,))
    for seed in range(4):
        architecture, found = space.sample(rng), []
        for planned in (plan, unrectified):
            monkeypatch.setattr("naopt.networks.convolutional.plan", planned)
            torch.manual_seed(seed)
            network = build_network(space, architecture, settings, 3, 10).double()
            found.append(results(network, images, labels))
        assert_same(found[0], found[1], 1e-8)


def test_gradients_and_outputs_in_one_memory_format_are_those_in_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    space = ConvCellSpace()
    ours, _ = pair(space, space.sample(np.random.default_rng(3)), 3)
    ours.double()
    images, labels = torch.randn(5, 3, 8, 8, dtype=torch.float64), torch.randint(10, (5,))
    state = {name: value.clone() for name, value in ours.state_dict().items()}
    last = results(ours, images, labels)
    ours.load_state_dict(state)
    ours.zero_grad()
    monkeypatch.setattr("naopt.networks.convolutional.arranged", lambda x: x)
    assert_same(results(ours, images, labels), last, 1e-8)
