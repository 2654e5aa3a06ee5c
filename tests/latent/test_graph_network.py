"""The graph network against message passing by loops, and against what no graph network may depend on."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from naopt.latent.graph_network import GraphNetwork, GraphPredictor, OperationGraphs, graphs_of
from naopt.spaces import Architecture, ConvCellSpace, NASBench201Space, SearchSpace
from tests.searchers.driving import grid
from tests.spaces.examples import awkward

SPACE = NASBench201Space()


def sample(space: SearchSpace, count: int) -> list[Architecture]:
    rng = np.random.default_rng(0)
    return [space.sample(rng) for _ in range(count)]


def test_operations_on_edges_become_vertices() -> None:
    graphs = OperationGraphs(SPACE)
    labels, arrows, exists = graphs([SPACE.architecture((1, 0, 0, 0, 3, 0)), SPACE.architecture((3,) * 6)])
    assert labels.shape == (2, 10, graphs.labels)
    assert exists.sum(dim=1).tolist() == [6, 10]
    assert arrows.sum(dim=(1, 2)).tolist() == [4, 12]
    assert labels.sum(dim=2).tolist() == exists.tolist()
    assert not torch.linalg.matrix_power(arrows, 10).any(), "no cycles"
    assert graphs_of(SPACE) is graphs_of(SPACE)


@pytest.mark.parametrize("space", [SPACE, ConvCellSpace(3, "enas-5"), awkward(), grid(3, 4, 5)])
def test_isomorphic_architectures_have_one_graph(space: SearchSpace) -> None:
    graphs, rng = OperationGraphs(space), np.random.default_rng(0)
    cells = sample(space, 20)
    mirrored = [space.architecture(space.symmetric(cell.tokens, rng)) for cell in cells]
    for one, other in zip(graphs(cells), graphs(mirrored), strict=True):
        assert torch.equal(one, other)


def test_the_network_is_message_passing() -> None:
    torch.manual_seed(0)
    graphs = OperationGraphs(SPACE)
    network = GraphNetwork(graphs.labels, GraphPredictor(width=5, head=4, uncertain=True)).double().eval()
    cells = sample(SPACE, 6)
    labels, arrows, exists = (tensor.double() for tensor in graphs(cells))
    means, deviations = network(labels, arrows, exists)
    for row in range(6):
        count = int(exists[row].sum())
        states = [labels[row, vertex] for vertex in range(count)]
        for join, mix, norm in zip(network.joins, network.mixes, network.norms, strict=True):
            nothing = torch.zeros_like(states[0])
            before = [
                sum((arrows[row, other, vertex] * states[other] for other in range(count)), nothing)
                for vertex in range(count)
            ]
            after = [
                sum((arrows[row, vertex, other] * states[other] for other in range(count)), nothing)
                for vertex in range(count)
            ]
            states = [
                norm(F.relu(mix(F.relu(join(torch.cat([states[v], before[v], after[v]])))))) for v in range(count)
            ]
        output = network.output(F.relu(network.hidden(torch.stack(states).mean(dim=0))))
        torch.testing.assert_close(means[row], output[0])
        torch.testing.assert_close(deviations[row], F.softplus(output[1]) + 1e-3)


def test_order_of_vertices_and_padding_do_not_matter() -> None:
    torch.manual_seed(0)
    graphs = OperationGraphs(SPACE)
    network = GraphNetwork(graphs.labels, GraphPredictor()).double().eval()
    labels, arrows, exists = (tensor.double() for tensor in graphs(sample(SPACE, 8)))
    order = torch.randperm(labels.shape[1])
    expected, certain = network(labels, arrows, exists)
    shuffled, _ = network(labels[:, order], arrows[:, order][:, :, order], exists[:, order])
    padded, _ = network(F.pad(labels, (0, 0, 0, 3)), F.pad(arrows, (0, 3, 0, 3)), F.pad(exists, (0, 3)))
    torch.testing.assert_close(shuffled, expected)
    torch.testing.assert_close(padded, expected)
    assert not certain.any()


@pytest.mark.parametrize("uncertain", [False, True])
def test_the_predictor_learns_what_a_cell_computes(uncertain: bool) -> None:
    cells = [SPACE.architecture(SPACE.canonical(cell.tokens)) for cell in sample(SPACE, 90)]
    counts = np.array([sum(token == 3 for token in cell.tokens) for cell in cells], dtype=np.float64)
    targets = (counts - counts.mean()) / counts.std()
    predictor = GraphPredictor(epochs=80, uncertain=uncertain)
    state = torch.random.get_rng_state()
    mean, deviation = predictor.fit(SPACE, cells[:70], targets[:70], 0).predict(cells[70:])
    assert np.corrcoef(mean, targets[70:])[0, 1] > 0.8
    assert (deviation > 0).all() == uncertain
    assert torch.equal(torch.random.get_rng_state(), state)
    again, _ = predictor.fit(SPACE, cells[:70], targets[:70], 0).predict(cells[70:])
    np.testing.assert_array_equal(mean, again)


def test_nothing_to_predict() -> None:
    fitted = GraphPredictor(epochs=1).fit(SPACE, sample(SPACE, 3), np.zeros(3), 0)
    mean, deviation = fitted.predict([])
    assert mean.shape == deviation.shape == (0,)
