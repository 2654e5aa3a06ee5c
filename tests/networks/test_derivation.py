"""What is derived from mixtures, by the published rule: tables by hand, and all architectures one by one."""

from __future__ import annotations

import math
from itertools import combinations, product

import pytest
import torch
from torch import Tensor

from naopt.networks.build_supernet import build_supernet
from naopt.networks.settings import NetworkSettings
from naopt.networks.supernet import Mixable
from naopt.spaces import ConvCellSpace, NASBench201Space, SearchSpace
from naopt.spaces.nasbench201 import EDGES, OPERATIONS

CONV = ConvCellSpace(2, "conv1x1+conv3x3", "nodes")
EDGE_WEIGHTS = [
    # conv1x1, conv3x3, none. Node 2 reads 0 and 1, whatever they weigh; none is never an operation.
    [0.10, 0.20, 0.70],
    [0.50, 0.40, 0.10],
    # Node 3: 0.3, 0.45 and 0.4 are its inputs' strongest operations, so it reads 1 and 2; that none is
    # strong on 2 does not count, but for what it takes from the others.
    [0.30, 0.25, 0.45],
    [0.10, 0.45, 0.45],
    [0.40, 0.05, 0.55],
]


def mixable(space: SearchSpace) -> Mixable:
    network = build_supernet(space, NetworkSettings(cells_per_stage=1, filters=2), 1, 2)
    assert isinstance(network, Mixable)
    return network


def test_a_cell_by_hand() -> None:
    table = torch.tensor(EDGE_WEIGHTS)
    normal = "conv3x3@0+conv1x1@1,conv3x3@1+conv1x1@2"
    tokens = mixable(CONV).derive([table, table])
    assert CONV.format(CONV.architecture(tokens)) == f"normal:{normal}/reduction:{normal}/output:nodes"


@pytest.mark.parametrize("output", ["nodes", "loose-ends"])
def test_either_cell_has_a_table_of_its_own_and_the_output_is_the_spaces(output: str) -> None:
    space = ConvCellSpace(2, "conv1x1+conv3x3", output)
    table = torch.tensor(EDGE_WEIGHTS)
    cells = space.cells(space.architecture(mixable(space).derive([table, table[:, [1, 0, 2]]])))
    assert cells["normal"].nodes == (((0, "conv3x3"), (1, "conv1x1")), ((1, "conv3x3"), (2, "conv1x1")))
    assert cells["reduction"].nodes == (((0, "conv1x1"), (1, "conv3x3")), ((1, "conv1x1"), (2, "conv3x3")))
    assert {cell.output for cell in cells.values()} == {output}


def strongest_cell(table: Tensor, nodes: int, names: tuple[str, ...]) -> list[set[tuple[int, str]]]:
    """For every node the pair of edges with the largest sum of weights, of all pairs and all their operations."""
    found, start = [], 0
    for node in range(nodes):
        every = [
            (float(table[start + a, x] + table[start + b, y]), {(a, names[x]), (b, names[y])})
            for a, b in combinations(range(node + 2), 2)
            for x, y in product(range(len(names)), repeat=2)
        ]
        found.append(max(every, key=lambda pair: pair[0])[1])
        start += node + 2
    return found


@pytest.mark.parametrize("seed", range(5))
def test_cells_of_random_mixtures_are_the_strongest_of_all(seed: int) -> None:
    """The two strongest edges, each by its strongest operation, are the pair of largest sum."""
    space = ConvCellSpace(4, "darts-7", "nodes")
    network, generator = mixable(space), torch.Generator().manual_seed(seed)
    tables = [torch.randn(shape, generator=generator).softmax(1) for shape in network.mixing_shapes()]
    cells = space.cells(space.architecture(network.derive(tables)))
    for table, cell in zip(tables, cells.values(), strict=True):
        assert [set(node) for node in cell.nodes] == strongest_cell(table, 4, space.operations.operations)


def test_of_nasbench201_it_is_the_most_probable_cell() -> None:
    """Of all 15,625 the one with the largest product of weights; ``none`` is an operation like the others."""
    space = NASBench201Space()
    network, generator = mixable(space), torch.Generator().manual_seed(0)
    (shape,) = network.mixing_shapes()
    table = torch.randn(shape, generator=generator).softmax(1)
    table[2, OPERATIONS.index("none")] = 0.9
    cells = product(range(len(OPERATIONS)), repeat=len(EDGES))
    best = max(cells, key=lambda cell: math.prod(table[edge, token].item() for edge, token in enumerate(cell)))
    assert network.derive([table]) == best
    assert OPERATIONS[best[2]] == "none"
