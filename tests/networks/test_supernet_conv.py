"""The supernet of convolutional cells against the children's own networks, and mixtures against a plain version."""

from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies
from torch import Tensor, nn

from naopt.errors import InputError
from naopt.networks.build_supernet import build_supernet, has_supernet
from naopt.networks.settings import NetworkSettings
from naopt.networks.supernet import WeightSharing
from naopt.networks.supernet_conv import ConvSupernet
from naopt.networks.supernet_conv_cell import SharedCell
from naopt.spaces import Architecture, CellSpec, ConvCellSpace, EnumeratedSpace, RecurrentCellSpace
from tests.networks.paths import path
from tests.networks.supernet_oracle import (
    CLASSES,
    assert_computes_the_child,
    assert_gradients_of,
    child_of,
    on_path,
    unsettle,
    with_gradient,
)

TINY = NetworkSettings(cells_per_stage=1, filters=3)


pytestmark = pytest.mark.usefixtures("double_precision")


def supernet(space: ConvCellSpace, options: NetworkSettings = TINY, weights: WeightSharing = "edge") -> ConvSupernet:
    network = build_supernet(space, options, 3, CLASSES, weights)
    assert isinstance(network, ConvSupernet)
    network.numbering = "written"
    unsettle(network)
    return network


@pytest.mark.parametrize(
    ("space", "weights", "options"),
    [
        (ConvCellSpace(5, "enas-5"), "edge", {}),
        (ConvCellSpace(3, "enas-5"), "branch", {"cells_per_stage": 2, "calibrate_newer": "twice", "head_relu": False}),
        (ConvCellSpace(4, "enas-5"), "node", {"auxiliary_weight": 0.4, "dropout": 0.3}),
        (ConvCellSpace(3, "nao-11"), "edge", {"cells_per_stage": 2, "auxiliary_weight": 0.4, "auxiliary_at": "cell"}),
        (ConvCellSpace(2, "darts-7"), "edge", {"calibrate_newer": "always", "drop_path_keep": 0.5}),
        (ConvCellSpace(1, "enas-5"), "edge", {"cells_per_stage": 2, "drop_path_keep": 0.6, "drop_identities": True}),
        (ConvCellSpace(4, "enas-5", "nodes"), "edge", {"auxiliary_weight": 0.4, "head_relu": False}),
        (ConvCellSpace(2, "enas-5", "nodes"), "node", {"cells_per_stage": 2, "calibrate_newer": "twice"}),
        (ConvCellSpace(1, "enas-5", "nodes"), "branch", {"cells_per_stage": 2}),
        (ConvCellSpace(3, "enas-5"), "edge", {"skeleton": "imagenet", "auxiliary_weight": 0.4}),
    ],
    ids=lambda value: getattr(value, "name", str(value)),
)
def test_a_path_is_the_child(space: ConvCellSpace, weights: WeightSharing, options: dict[str, Any]) -> None:
    options = {"cells_per_stage": 1, "filters": 3} | options
    network = supernet(space, NetworkSettings.parse(options), weights)
    network.progress = 0.8
    rng = np.random.default_rng(space.nodes)
    images = torch.randn(3, 3, *((33, 33) if options.get("skeleton") else (8, 7)))
    for _ in range(2):
        architecture = space.sample(rng)
        child = assert_computes_the_child(network, architecture, NetworkSettings.parse(options), images)
        assert assert_gradients_of(child, network, architecture) > 20
        if space.output == "loose-ends":
            assert with_gradient(network) == on_path(network)
        else:  # an input that nothing reads leads nowhere, in the child too
            assert with_gradient(network) <= on_path(network)


ENAS = ConvCellSpace(operations="enas-5")


def test_gradients_at_the_ends_of_many_architectures() -> None:
    network, rng, seen = supernet(ENAS), np.random.default_rng(7), set()
    for _ in range(6):
        architecture = ENAS.sample(rng)
        seen.add(ENAS.cells(architecture)["normal"].output_ends())
        _assert_gradients_at_ends(network, architecture)
    assert len(seen) > 3


def _assert_gradients_at_ends(network: ConvSupernet, architecture: Architecture) -> None:
    child = assert_computes_the_child(network, architecture, TINY, torch.randn(2, 3, 4, 4))
    assert with_gradient(network) == on_path(network)
    assert isinstance(child.classifier, nn.Linear)
    normal = ENAS.cells(architecture)["normal"].output_ends()
    ends = [getattr(network.classifier, str(end)).grad for end in normal]
    assert child.classifier.weight.grad is not None
    assert torch.allclose(torch.cat(ends, 1), child.classifier.weight.grad, rtol=1e-7)


def test_inheriting_does_not_change_the_path() -> None:
    network, rng = supernet(ENAS), np.random.default_rng(0)
    first, second = ENAS.sample(rng), ENAS.sample(rng)
    network.choose(network.path(first))
    images = torch.randn(2, 3, 8, 8)
    before = network(images)
    child_of(network, second, TINY)
    assert torch.equal(network(images), before)


def test_what_swapped_branches_compute() -> None:
    images, space, differ = torch.randn(2, 3, 4, 4), ConvCellSpace(3, "enas-5"), {}
    weights: WeightSharing
    for weights in ("edge", "branch", "node"):
        network, rng = supernet(space, weights=weights), np.random.default_rng(0)
        architecture = space.sample(rng)
        network.choose(network.path(architecture))
        before = network(images)
        network.choose(path(network, space.symmetric(architecture.tokens, rng)))
        differ[weights] = not torch.allclose(network(images), before, atol=1e-9)
    assert differ == {"edge": False, "branch": True, "node": False}


def test_how_many_operations_there_are() -> None:
    """Per cell and operation: 2 + 3 + 4 inputs of 3 nodes; twice as many; 3 nodes, two of them with either stride."""
    space = ConvCellSpace(3, "conv1x1+conv3x3")
    weights: WeightSharing
    for weights, normal, reduction in (("edge", 9, 9), ("branch", 18, 18), ("node", 3, 3 + 2)):
        network = supernet(space, weights=weights)
        counts = [len(cell.operations) for cell in network.cells if isinstance(cell, SharedCell)]
        assert counts == [2 * (reduction if index in (1, 3) else normal) for index in range(5)]


def test_equal_branches_share_and_add_up() -> None:
    space = ConvCellSpace(1, "conv3x3")
    architecture = space.parse("normal:conv3x3@1+conv3x3@1/reduction:conv3x3@0+conv3x3@0")
    network = supernet(space)
    child = assert_computes_the_child(network, architecture, TINY, torch.randn(2, 3, 8, 8))
    assert assert_gradients_of(child, network, architecture) > 0
    assert len([name for name in on_path(network) if name.startswith("cells.0.operations")]) == 3


def test_a_stored_supernet_computes_the_same() -> None:
    space = ConvCellSpace(3, "enas-5")
    images, architecture = torch.randn(2, 3, 8, 8), space.sample(np.random.default_rng(3))
    first, second = supernet(space), supernet(space)
    second.load_state_dict(first.state_dict())
    for network in (first, second):
        network.eval().choose(network.path(architecture))
    assert torch.equal(first(images), second(images))


# Mixtures.


def one_hot(space: ConvCellSpace, cell: CellSpec) -> Tensor:
    """The table of one cell, whose nodes have two distinct inputs: each the weight of its operation, the rest none."""
    names, rows = space.operations.operations, []
    for node, branches in enumerate(cell.nodes):
        of_source = dict(branches)
        for source in range(node + 2):
            row = torch.zeros(len(names) + 1)
            row[names.index(of_source[source]) if source in of_source else -1] = 1
            rows.append(row)
    return torch.stack(rows)


def with_distinct_inputs(space: ConvCellSpace, rng: np.random.Generator) -> dict[str, CellSpec]:
    while True:
        cells = space.cells(space.sample(rng))
        if all(a[0] != b[0] for cell in cells.values() for a, b in cell.nodes):
            return cells


@pytest.mark.parametrize("nodes", [1, 2, 3])
def test_a_mixture_of_single_operations_is_the_path_and_derives_it(nodes: int) -> None:
    space = ConvCellSpace(nodes, "enas-5", "nodes")
    options = NetworkSettings(cells_per_stage=2, filters=3, auxiliary_weight=0.4)
    network, rng = supernet(space, options), np.random.default_rng(nodes)
    images = torch.randn(2, 3, 8, 8)
    for _ in range(3):
        cells = with_distinct_inputs(space, rng)
        architecture = space.from_cells(cells["normal"], cells["reduction"])
        weights = [one_hot(space, cells[kind]) for kind in ("normal", "reduction")]
        assert [tuple(table.shape) for table in weights] == network.mixing_shapes()
        network.choose(network.path(architecture))
        expected = network.outputs(images)
        network.mix(weights)
        for one, other in zip(network.outputs(images), expected, strict=True):
            assert one is not None
            assert other is not None
            assert torch.allclose(one, other, atol=1e-9)
        assert space.architecture(network.derive(weights)) == architecture


@pytest.mark.parametrize("output", ["loose-ends", "nodes"])
def test_a_mixed_cell_and_its_gradients_against_a_plain_version(output: str) -> None:
    space = ConvCellSpace(3, "sep_conv3x3+max_pool3x3+identity+conv1x1", output)
    network = supernet(space)
    logits = [torch.randn(shape, requires_grad=True) for shape in network.mixing_shapes()]
    for index, kind in enumerate((0, 1)):
        network.mix([table.softmax(1) for table in logits])
        cell = network.cells[index]
        assert isinstance(cell, SharedCell)
        older, newer = (torch.randn(2, 9, 9, 9) for _ in range(2))  # 3 F channels of the stem, or 3 nodes of F
        actual = cell(older.relu(), newer.relu())
        path = cell.path
        assert path.older is not None
        assert path.newer is not None
        states = [path.older(older.relu()), path.newer(newer.relu())]
        table = logits[kind].softmax(1)
        edge = 0
        for node in range(3):
            total = torch.zeros(())
            for source in range(node + 2):
                for column, name in enumerate(space.operations.operations):
                    total = total + table[edge, column] * cell.bank[node, str(source), name](states[source].clone())
                edge += 1
            states.append(total)
        expected = torch.cat(states[2:], 1)
        expected = expected.relu() if path.place.rectify else expected
        assert torch.allclose(actual, expected, atol=1e-9)
        inputs = [logits[kind], *(p for bank in cell.operations.values() for p in bank.parameters())]
        direction = torch.randn_like(expected)
        ours = torch.autograd.grad((actual * direction).sum(), inputs, retain_graph=True, allow_unused=True)
        plain = torch.autograd.grad((expected * direction).sum(), inputs, allow_unused=True)
        for one, other in zip(ours, plain, strict=True):
            assert one is not None
            assert other is not None
            assert torch.allclose(one, other, atol=1e-8)


def test_a_mixture_gives_gradients_to_all_operations_and_ends_with_the_next_path() -> None:
    network = supernet(ConvCellSpace(2, "enas-5"))
    architecture = network.space.sample(np.random.default_rng(0))
    images = torch.randn(2, 3, 8, 8)
    network.choose(network.path(architecture))
    before, listed = network(images), on_path(network)
    logits = [torch.zeros(shape, requires_grad=True) for shape in network.mixing_shapes()]
    network.mix([table.softmax(1) for table in logits])
    network(images).sum().backward()
    assert all(table.grad is not None and bool(table.grad.abs().sum() > 0) for table in logits)
    assert on_path(network) == {name for name, _ in network.named_parameters()}
    named = dict(network.named_parameters())
    assert all(parameter.grad is not None for name, parameter in named.items() if "operations" in name)
    network.choose(network.path(architecture))
    assert torch.equal(network(images), before)
    assert on_path(network) == listed


@settings(max_examples=25, deadline=None)
@given(strategies.integers(0, 2**32 - 1), strategies.integers(1, 4))
def test_what_is_derived_is_the_strongest_pair(seed: int, nodes: int) -> None:
    space = ConvCellSpace(nodes, "enas-5")
    network = ConvSupernet.__new__(ConvSupernet)
    nn.Module.__init__(network)
    network.space = space
    names = space.operations.operations
    generator = torch.Generator().manual_seed(seed)
    tables = [torch.rand(shape, generator=generator) for shape in network.mixing_shapes()]
    for table in tables:
        table[:, -1] += 2  # none is strongest, and not looked at
    tokens = network.derive(tables)
    assert space.contains(tokens)
    for table, cell in zip(tables, space.cells(space.architecture(tokens)).values(), strict=True):
        start = 0
        for node, branches in enumerate(cell.nodes):
            rows = table[start : start + node + 2, :-1]
            pairs = [(a, b) for a, b in product(range(node + 2), repeat=2) if a < b]
            chosen = tuple(source for source, _ in branches)
            floor = min(float(rows[source].max()) for source in chosen)
            assert floor == max(min(float(rows[a].max()), float(rows[b].max())) for a, b in pairs)
            assert max(float(rows[source].max()) for source in chosen) == float(rows.max())
            assert all(names[int(rows[source].argmax())] == name for source, name in branches)
            start += node + 2


# What there is, and what not.


def test_mixtures_need_weights_of_edges() -> None:
    network = supernet(ConvCellSpace(1, "enas-5"), weights="node")
    with pytest.raises(InputError, match="weights 'node': must be edge"):
        network.mix([torch.ones(shape) for shape in network.mixing_shapes()])


def test_spaces_with_and_without_a_supernet() -> None:
    space = ConvCellSpace(1, "enas-5")
    rows = [space.sample(np.random.default_rng(seed)).tokens for seed in range(3)]
    part = EnumeratedSpace(space, rows)
    assert has_supernet(part)
    network = build_supernet(part, TINY, 3, CLASSES, "branch")
    assert isinstance(network, ConvSupernet)
    assert network.weights == "branch"
    assert not has_supernet(RecurrentCellSpace())
    with pytest.raises(InputError, match="has no supernet for images"):
        build_supernet(RecurrentCellSpace(), TINY, 3, CLASSES)
