"""The supernet of NAS-Bench-201 against the cells' own networks, and mixtures against a plain version."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from naopt.errors import InputError
from naopt.networks.build_supernet import build_supernet
from naopt.networks.settings import NetworkSettings
from naopt.networks.supernet import WeightSharing
from naopt.networks.supernet_nasbench201 import NASBench201Supernet, SharedDenseCell, live_path
from naopt.spaces import NASBench201Space
from naopt.spaces.nasbench201 import EDGES, OPERATIONS
from tests.networks.paths import path
from tests.networks.supernet_oracle import (
    CLASSES,
    assert_computes_the_child,
    assert_gradients_of,
    on_path,
    unsettle,
    with_gradient,
)

SPACE = NASBench201Space()


pytestmark = pytest.mark.usefixtures("double_precision")


def supernet(options: NetworkSettings, weights: WeightSharing = "edge") -> NASBench201Supernet:
    network = build_supernet(SPACE, options, 3, CLASSES, weights)
    assert isinstance(network, NASBench201Supernet)
    unsettle(network)
    return network


def live_edges(tokens: tuple[int, ...], start: int | None = None) -> set[int]:
    """Edges on some path to node 3, from ``start`` or from anywhere, by trying all paths."""
    paths = [
        [(0, 3)],
        [(0, 1), (1, 3)],
        [(0, 2), (2, 3)],
        [(0, 1), (1, 2), (2, 3)],
        [(1, 3)],
        [(2, 3)],
        [(1, 2), (2, 3)],
    ]
    found: set[int] = set()
    for way in paths:
        edges = [EDGES.index(edge) for edge in way]
        if start in (None, way[0][0]) and all(OPERATIONS[tokens[edge]] != "none" for edge in edges):
            found.update(edges)
    return found


@pytest.mark.parametrize(
    "options",
    [{}, {"cells_per_stage": 2, "auxiliary_weight": 0.4, "auxiliary_at": "cell", "dropout": 0.2},
     {"auxiliary_weight": 0.4}],
    ids=str,
)  # fmt: skip
def test_a_path_is_the_child(options: dict[str, Any]) -> None:
    chosen = NetworkSettings.parse({"cells_per_stage": 1, "filters": 3} | options)
    network, rng, stage = supernet(chosen), np.random.default_rng(0), chosen.cells_per_stage
    images, connected = torch.randn(3, 3, 8, 8), 0
    for _ in range(7):
        architecture = SPACE.sample(rng)
        live = live_edges(architecture.tokens)
        child = assert_computes_the_child(network, architecture, chosen, images)
        assert assert_gradients_of(child, network, architecture) > 0
        named = {".".join(name.split(".")[1:5]) for name in on_path(network) if name.startswith("cells.")}
        operations = [(edge, OPERATIONS[architecture.tokens[edge]]) for edge in live]
        weighty = [(edge, name) for edge, name in operations if name.startswith("nor_conv")]
        assert named == {f"{cell}.banks.{edge}.{name}" for cell in range(3 * stage) for edge, name in weighty}
        assert with_gradient(network) <= on_path(network)
        if live_edges(architecture.tokens, 0):
            assert with_gradient(network) == on_path(network)
            connected += 1
    assert connected > 3


@pytest.mark.parametrize("drop_identities", [False, True])
def test_drop_path_is_the_childs(drop_identities: bool) -> None:
    """On cells without dead edges, for which the child draws random numbers too."""
    options = NetworkSettings(cells_per_stage=1, filters=3, drop_path_keep=0.5, drop_identities=drop_identities)
    network, rng, compared = supernet(options), np.random.default_rng(1), 0
    network.progress = 0.9
    while compared < 3:
        architecture = SPACE.sample(rng)
        if len(live_edges(architecture.tokens)) == len(EDGES) - architecture.tokens.count(OPERATIONS.index("none")):
            assert_computes_the_child(network, architecture, options, torch.randn(4, 3, 8, 8))
            compared += 1


def test_a_cell_without_a_path_gives_zeros() -> None:
    tokens = (OPERATIONS.index("none"),) * len(EDGES)
    options = NetworkSettings(cells_per_stage=1, filters=3)
    network = supernet(options)
    assert_computes_the_child(network, SPACE.architecture(tokens), options, torch.randn(2, 3, 8, 8))
    assert not torch.any(SharedDenseCell(3)(torch.randn(2, 3, 4, 4), live_path(tokens)))


def plainly_mixed(cell: SharedDenseCell, x: Tensor, weights: Tensor) -> Tensor:
    states = [x]
    for target in range(1, 4):
        total = torch.zeros_like(x)
        for edge, (source, end) in enumerate(EDGES):
            for index, operation in enumerate(cell.operations[edge]):
                if end == target and operation is not None:
                    total = total + weights[edge, index] * operation(states[source].clone())
        states.append(total)
    return states[3]


def test_a_mixture_and_its_gradients_against_a_plain_version() -> None:
    cell, x = SharedDenseCell(3), torch.randn(2, 3, 5, 5)
    logits = torch.randn(len(EDGES), len(OPERATIONS), requires_grad=True)
    ours, plain = (mixed(x, logits.softmax(1)) for mixed in (cell.mixed, lambda x, w: plainly_mixed(cell, x, w)))
    assert torch.allclose(ours, plain, atol=1e-9)
    direction, inputs = torch.randn_like(ours), [logits, *cell.parameters()]
    found = [torch.autograd.grad((y * direction).sum(), inputs, retain_graph=True) for y in (ours, plain)]
    for one, other in zip(*found, strict=True):
        assert torch.allclose(one, other, atol=1e-8)


def test_a_mixture_of_single_operations_is_the_path_and_derives_it() -> None:
    options, rng = NetworkSettings(cells_per_stage=1, filters=3), np.random.default_rng(2)
    network, images = supernet(options), torch.randn(2, 3, 8, 8)
    for _ in range(3):
        tokens = SPACE.sample(rng).tokens
        network.choose(path(network, tokens))
        expected, listed = network(images), on_path(network)
        (shape,) = network.mixing_shapes()
        weights = torch.nn.functional.one_hot(torch.tensor(tokens), shape[1]).to(torch.float64)
        assert tuple(weights.shape) == shape
        network.mix([weights])
        assert torch.allclose(network(images), expected, atol=1e-9)
        assert network.derive([weights]) == tokens
        assert on_path(network) == {name for name, _ in network.named_parameters()}
        network.choose(path(network, tokens))
        assert on_path(network) == listed


def test_weights_belong_to_edges() -> None:
    options = NetworkSettings(cells_per_stage=1, filters=3)
    assert isinstance(supernet(options, "branch"), NASBench201Supernet)
    with pytest.raises(InputError, match="weights 'node': must be edge or branch"):
        supernet(options, "node")


def test_another_skeleton_is_refused() -> None:
    with pytest.raises(InputError, match="must be cifar"):
        supernet(NetworkSettings(skeleton="imagenet", cells_per_stage=1, filters=3))
