"""Distances against networkx, brute force and naive reimplementations."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from typing import Any

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from naopt.latent.graph_features import graph_features
from naopt.metrics import hamming_distance
from naopt.probes.distances import (
    canonical,
    edit_distances,
    edit_is_exact,
    graph_distances,
    token_distances,
    wl_distances,
)
from naopt.probes.properties import properties
from naopt.spaces import (
    Architecture,
    ConvCellSpace,
    Edge,
    Graph,
    NASBench101Space,
    NASBench201Space,
    Node,
    RecurrentCellSpace,
    SearchSpace,
)
from tests.spaces.examples import SPACES

SEEDS = st.integers(0, 2**32 - 1)


def some(space: SearchSpace, count: int, seed: int = 0) -> list[Architecture]:
    rng = np.random.default_rng(seed)
    return [canonical(space, space.sample(rng)) for _ in range(count)]


def by_networkx(first: Graph, second: Graph) -> float:
    """Unit costs; a vertex that may not stand for another costs more than all else together."""
    graphs = []
    for graph in (first, second):
        on_edges = any(edge.label for edge in graph.edges)
        built: Any = nx.DiGraph()
        for index, node in enumerate(graph.nodes):
            role = (node.part, "inner") if node.kind == "inner" else (node.part, node.kind, node.label)
            built.add_node(index, role=role, label="" if on_edges or node.kind != "inner" else node.label)
        for edge in graph.edges:
            assert not built.has_edge(edge.source, edge.target)
            built.add_edge(edge.source, edge.target, label=edge.label)
        graphs.append(built)

    def vertex(a: Any, b: Any) -> float:
        return 1e3 if a["role"] != b["role"] else float(a["label"] != b["label"])

    found = nx.graph_edit_distance(
        graphs[0], graphs[1], node_subst_cost=vertex, edge_match=lambda a, b: a["label"] == b["label"]
    )  # fmt: skip
    assert found is not None
    return float(found)


@pytest.mark.parametrize("space", [NASBench201Space(), RecurrentCellSpace(2)], ids=lambda space: space.name)
def test_edit_distance_is_that_of_networkx(space: SearchSpace) -> None:
    graphs = [space.graph(a) for a in some(space, 5)]
    found = edit_distances(graphs)
    assert edit_is_exact(graphs)
    for i, j in itertools.combinations(range(5), 2):
        assert found[i, j] == by_networkx(graphs[i], graphs[j])


def test_vertices_are_added_and_renamed_too() -> None:
    """Cells of NAS-Bench-101 have operations on their vertices, and differ in size."""
    space = NASBench101Space()
    texts = (
        "conv3x3@0,output@1",
        "conv3x3@0,maxpool3x3@0+1,output@1+2",
        "conv1x1@0,conv3x3@0,output@0+1+2",
        "conv3x3@0,conv1x1@0+1,maxpool3x3@1,output@2+3",
    )
    graphs = [space.graph(canonical(space, space.parse(f"nasbench101:{text}"))) for text in texts]
    found = edit_distances(graphs)
    for i, j in itertools.combinations(range(4), 2):
        assert found[i, j] == by_networkx(graphs[i], graphs[j])


def brute_force(first: Graph, second: Graph) -> int:
    """Of a multigraph with as many vertices on both sides: differing edges, by every numbering of the inner ones."""
    total = 0
    for part in first.parts:
        inner = [i for i, node in enumerate(first.nodes) if node.part == part and node.kind == "inner"]
        edges = [e for e in first.edges if first.nodes[e.source].part == part]
        wanted = Counter((e.source, e.target, e.label) for e in second.edges if second.nodes[e.source].part == part)
        best = math.inf
        for order in itertools.permutations(inner):
            to = dict(zip(inner, order, strict=True))
            moved = Counter((to.get(e.source, e.source), to.get(e.target, e.target), e.label) for e in edges)
            changes = 0
            for a, b in {key[:2] for key in moved} | {key[:2] for key in wanted}:
                one = [label for x, y, label in moved.elements() if (x, y) == (a, b)]
                other = [label for x, y, label in wanted.elements() if (x, y) == (a, b)]
                changes += max(len(one), len(other)) - (Counter(one) & Counter(other)).total()
            best = min(best, changes)
        total += int(best)
    return total


def test_edit_distance_of_multigraphs_of_several_parts() -> None:
    space = ConvCellSpace(3, "enas-5")
    graphs = [space.graph(a) for a in some(space, 8)]
    found = edit_distances(graphs)
    for i, j in itertools.combinations(range(8), 2):
        assert found[i, j] == brute_force(graphs[i], graphs[j])


def test_beyond_five_vertices_it_is_an_upper_bound() -> None:
    space = RecurrentCellSpace(5)
    graphs = [space.graph(a) for a in some(space, 4)]
    assert not edit_is_exact(graphs)
    found = edit_distances(graphs)
    pairs = list(itertools.combinations(range(4), 2))
    exact = [brute_force(graphs[i], graphs[j]) for i, j in pairs]
    assert all(found[pair] >= least for pair, least in zip(pairs, exact, strict=True))
    assert any(found[pair] == least for pair, least in zip(pairs, exact, strict=True))
    assert (found == found.T).all()
    assert (found.diagonal() == 0).all()
    large = RecurrentCellSpace(20, "tanh+relu")
    two = some(large, 2)
    moved = edit_distances([large.graph(a) for a in two])[0, 1]
    assert 0 < moved <= 2 * hamming_distance(two[0].tokens, two[1].tokens)


def test_edit_distance_ignores_how_inner_vertices_are_numbered() -> None:
    ends = Node("in", "", "input"), Node("out", "", "output")
    one = Graph((*ends, Node("1"), Node("2")), (Edge(0, 2, "a"), Edge(0, 3, "b"), Edge(2, 1, "c"), Edge(3, 1, "c")))
    other = Graph((*ends, Node("1"), Node("2")), (Edge(0, 3, "a"), Edge(0, 2, "b"), Edge(2, 1, "c"), Edge(3, 1, "d")))
    assert edit_distances([one, other])[0, 1] == 1
    assert wl_distances([one, one])[0, 1] == 0


# Weisfeiler-Lehman.


def naive_wl(graph: Graph, depth: int) -> Counter[str]:
    """Labels written out, round by round."""
    on_edges = any(edge.label for edge in graph.edges)
    labels = [f"{n.part}|{n.kind}|{'' if n.kind == 'inner' and on_edges else n.label}" for n in graph.nodes]
    found = Counter(labels)
    for _ in range(depth):
        new = []
        for index, label in enumerate(labels):
            before = sorted(f"<{e.label}:{labels[e.source]}>" for e in graph.edges if e.target == index)
            after = sorted(f"<{e.label}:{labels[e.target]}>" for e in graph.edges if e.source == index)
            new.append(f"({label} in {','.join(before)} out {','.join(after)})")
        labels = new
        found.update(labels)
    return found


@pytest.mark.parametrize("space", [NASBench201Space(), NASBench101Space(), ConvCellSpace(2)], ids=lambda s: s.name)
def test_wl_distance_is_that_of_a_naive_kernel(space: SearchSpace) -> None:
    graphs = [space.graph(a) for a in some(space, 8)]
    for depth in (0, 2):
        counts = [naive_wl(graph, depth) for graph in graphs]
        kernel = np.array([[sum(a[name] * b[name] for name in a) for b in counts] for a in counts], dtype=np.float64)
        squares = kernel.diagonal()[:, None] - 2 * kernel + kernel.diagonal()[None]
        np.testing.assert_allclose(wl_distances(graphs, depth), np.sqrt(squares), atol=1e-6)


# All of them.


@pytest.mark.parametrize("name", ["nasbench201", "nasbench101", "recurrent-3", "enas-5-3", "mlp", "single"])
def test_distances_are_symmetric_and_zero_for_equals_alone(name: str) -> None:
    space = SPACES[name]
    architectures = some(space, 12)
    found = graph_distances(space, [*architectures, architectures[0]])
    assert list(found) == ["edit", "wl", "paths", "tokens"]
    same = np.array([[a.tokens == b.tokens for b in [*architectures, architectures[0]]] for a in architectures])
    for matrix in found.values():
        assert (matrix == matrix.T).all()
        assert (matrix[:-1][same] < 1e-6).all()
    assert (found["tokens"][:-1][~same] > 0).all()
    assert (found["edit"][:-1][~same] > 0).all()


@settings(max_examples=25, deadline=None)
@given(SEEDS)
def test_symmetric_twins_are_at_distance_zero(seed: int) -> None:
    space = ConvCellSpace(3, "enas-5")
    rng = np.random.default_rng(seed)
    architecture = space.sample(rng)
    twin = space.architecture(space.symmetric(architecture.tokens, rng))
    found = graph_distances(space, [canonical(space, architecture), canonical(space, twin)])
    assert all(matrix.max() < 1e-6 for matrix in found.values())


def test_paths_and_tokens_against_plain_sums() -> None:
    space = NASBench201Space()
    architectures = some(space, 10)
    found = graph_distances(space, architectures)
    paths = [graph_features(space.graph(a), space.skips).paths for a in architectures]
    for i, j in itertools.combinations(range(10), 2):
        names = paths[i].keys() | paths[j].keys()
        assert found["paths"][i, j] == sum(abs(paths[i][name] - paths[j][name]) for name in names)
        assert found["tokens"][i, j] == hamming_distance(architectures[i].tokens, architectures[j].tokens)
    assert token_distances(np.array([[1, 2], [1, 3]])).tolist() == [[0, 1], [1, 0]]


def test_a_graph_without_edges_does_not_take_numbers_for_operations() -> None:
    space = NASBench201Space()
    empty, one = space.architecture((0,) * 6), space.parse("|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|")
    found = graph_distances(space, [empty, one])
    assert {name: matrix[0, 1] for name, matrix in found.items() if name != "wl"} == {
        "edit": 1,
        "paths": 1,
        "tokens": 1,
    }
    assert {name: column.tolist() for name, column in properties(space, [empty, one]).items()} == {
        "edges": [0, 1],
        "depth": [0, 1],
        "loose ends": [0, 1],
        "number of skip_connect": [0, 1],
    }


def test_properties_are_counted_in_the_graph() -> None:
    space = NASBench101Space()
    one = space.parse("nasbench101:conv3x3@0,maxpool3x3@0+1,output@1+2")
    other = space.parse("nasbench101:conv3x3@0,output@1")
    found = properties(space, [one, other])
    assert found["edges"].tolist() == [5, 2]
    assert found["depth"].tolist() == [3, 2]
    assert found["loose ends"].tolist() == [2, 1]
    assert found["number of maxpool3x3"].tolist() == [1, 0]
    assert "number of conv3x3" not in found
    assert found["parameters"].tolist() == [space.quantities(a)["parameters"] for a in (one, other)]
