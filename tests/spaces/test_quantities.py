"""What spaces know of an architecture without measuring it, against the benchmarks' own figures."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from naopt.spaces import ConvCellSpace, EnumeratedSpace, NASBench101Space, NASBench201Space, parse_architecture
from naopt.spaces.nasbench101_cells import Cell
from naopt.spaces.nasbench101_network import vertex_channels
from naopt.spaces.nasbench201 import OPERATIONS

CELLS = NASBench101Space()
NAMES = {-1: "input", 0: "conv3x3", 1: "conv1x1", 2: "maxpool3x3", -2: "output"}


def benchmark(name: str) -> Any:
    folder = os.environ.get("NAOPT_DATA")
    if folder is None:
        pytest.skip("NAOPT_DATA is not set: no folder with benchmark tables")
    with np.load(Path(folder) / name) as archive:
        return dict(archive)


@pytest.mark.parametrize(
    ("text", "published"),
    [
        ("output@0", 882_570),
        ("conv1x1@0,output@0+1", 2_793_866),
        ("maxpool3x3@0,maxpool3x3@0+1,output@2", 1_756_298),
        ("conv3x3@0,maxpool3x3@1,conv3x3@1,conv1x1@3,maxpool3x3@3+4,output@1+2+5", 2_482_230),
        ("maxpool3x3@0,maxpool3x3@1,maxpool3x3@2,conv3x3@3,conv3x3@4,output@2+3+4+5", 1_391_178),
    ],
)
def test_parameters_that_nasbench101_reports(text: str, published: int) -> None:
    space, architecture = parse_architecture(f"nasbench101:{text}")
    assert space.quantities(architecture)["parameters"] == published


def test_all_labelled_cells_of_nasbench101_have_the_parameters_that_it_reports() -> None:
    table = benchmark("nasbench101_labelled.npz")
    found = []
    for matrix, operations, size in zip(table["adjacency"], table["ops"], table["n_vertices"], strict=True):
        cell = CELLS.from_matrix(matrix[:size, :size], [NAMES[int(code)] for code in operations[:size]])
        found.append(CELLS.quantities(cell)["parameters"])
    assert len(found) == 30_001
    assert found == table["params"].tolist()


@given(st.integers(0, 2**32 - 1), st.sampled_from([128, 256, 512]))
def test_channels_fill_the_output_and_cover_what_they_feed(seed: int, channels: int) -> None:
    matrix, _ = CELLS.matrix(CELLS.sample(np.random.default_rng(seed)))
    masks = [sum(1 << int(u) for u in np.flatnonzero(column)) for column in matrix.T[1:]]
    found = vertex_channels(Cell(tuple(masks[:-1]), (1,) * (len(masks) - 1), masks[-1]), channels)
    last = len(matrix) - 1
    feeding = [v for v in range(1, last) if matrix[v, last]]
    assert sum(found[v - 1] for v in feeding) == (channels if feeding else 0)
    shares = [found[v - 1] for v in feeding]
    assert shares == sorted(shares, reverse=True)
    assert not shares or shares[0] - shares[-1] <= 1
    for v in set(range(1, last)) - set(feeding):
        assert found[v - 1] == max(found[u - 1] for u in range(v + 1, last) if matrix[v, u])


def test_channels_and_weights_of_a_cell() -> None:
    """Output of 512 channels from vertices 1, 2 and 4: 171, 171 and 170; vertex 3 feeds vertex 4."""
    space, architecture = parse_architecture("nasbench101:conv3x3@0,conv3x3@1,maxpool3x3@0+1,conv1x1@3,output@0+1+2+4")
    found = dict(space.quantities(architecture))
    del found["parameters"]
    assert found == {
        "conv3x3 channels": 342,
        "conv3x3 widest": 171,
        "conv3x3 weights": 2 * 9 * 171**2,
        "conv1x1 channels": 170,
        "conv1x1 widest": 170,
        "conv1x1 weights": 170**2,
        "maxpool3x3 channels": 170,
        "maxpool3x3 widest": 170,
        "projection weights": 512 * (171 + 170 + 512),
    }


def test_nasbench201_has_the_parameters_that_it_reports() -> None:
    table = benchmark("nasbench201.npz")
    space = NASBench201Space()
    found = [space.quantities(space.architecture(row))["parameters"] for row in table["tokens"].tolist()]
    np.testing.assert_allclose(found, 1e6 * table["metric/params_m"], rtol=1e-6)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_nasbench201_counts_what_its_network_has(operation: str) -> None:
    from naopt.networks.nasbench201 import build_nasbench201
    from naopt.networks.settings import NetworkSettings

    space = NASBench201Space()
    architecture = space.architecture([OPERATIONS.index(operation), 3, 1, 2, 0, 4])
    settings = NetworkSettings(filters=16, cells_per_stage=5)
    network = build_nasbench201(space, architecture, settings, 3, 10)
    assert space.quantities(architecture)["parameters"] == sum(p.numel() for p in network.parameters())


def test_listed_rows_know_what_their_space_knows() -> None:
    rows = [[0, 1, 2, 3, 4, 0], [3, 3, 3, 3, 3, 3]]
    space = EnumeratedSpace(NASBench201Space(), rows)
    for row in space.rows.tolist():
        architecture = space.architecture(row)
        assert space.quantities(architecture) == NASBench201Space().quantities(architecture)


def test_most_spaces_know_nothing() -> None:
    space = ConvCellSpace()
    assert dict(space.quantities(space.sample(np.random.default_rng(0)))) == {}
