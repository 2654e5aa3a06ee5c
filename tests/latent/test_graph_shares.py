"""How much flows through the operations of a kind, against probabilities of whole paths."""

from __future__ import annotations

from collections import defaultdict
from math import prod, sqrt

import pytest

from naopt.latent.graph_features import graph_features
from naopt.spaces import Edge, Graph, Node, SearchSpace
from tests.latent.test_graph_features import WITH_GRAPHS, sampled, vertex_form, ways


def naive_shares(space: SearchSpace, graph: Graph) -> dict[str, float]:
    """By the paths through each operation: a path is as likely as a walk back (or forth) that picks edges alike."""
    found: defaultdict[str, float] = defaultdict(float)
    for part in graph.parts:
        form, names, inputs, outputs = vertex_form(graph, part)
        every = ways(form, inputs, outputs)
        live = form.subgraph({v for way in every for v in way})
        prefix = f"{part}/" if len(graph.parts) > 1 else ""
        back: defaultdict[int, float] = defaultdict(float)
        forth: defaultdict[int, float] = defaultdict(float)
        last = dict.fromkeys(live, True)
        for way in every:
            backwards = prod(1 / live.in_degree(v) for v in way[1:]) / sum(v in live for v in outputs)
            forwards = prod(1 / live.out_degree(v) for v in way[:-1]) / sum(v in live for v in inputs)
            for place, v in enumerate(way):
                back[v] += backwards
                forth[v] += forwards
                last[v] &= not any(u in names and names[u] not in space.skips for u in way[place + 1 :])
        for v in live:
            if v in inputs and len(inputs) > 1:
                found[f"{prefix}share from {names[v]}"] = back[v]
            elif v in names and v not in inputs and names[v] not in space.skips:
                name = prefix + names[v]
                found[f"{name} share of output"] += back[v]
                found[f"{name} share of input"] += forth[v]
                found[f"{name} share of both"] += sqrt(back[v] * forth[v])
                found[f"{name} last"] += last[v]
    return dict(found)


@pytest.mark.parametrize("name", WITH_GRAPHS)
def test_shares_are_those_of_all_paths(name: str) -> None:
    for space, architecture in sampled(name, 20):
        graph = space.graph(architecture)
        sizes = graph_features(graph, space.skips).sizes
        expected = naive_shares(space, graph)
        names = {key for key in sizes if "share " in key or key.endswith(" last")}
        assert {key for key in names if sizes[key]} == {key for key, value in expected.items() if value}
        assert {key: sizes[key] for key in expected.keys() & sizes} == pytest.approx(
            {key: value for key, value in expected.items() if key in sizes}
        )


def test_shares_of_a_cell_by_hand() -> None:
    """The output joins conv, pool and the input; conv feeds pool, too."""
    nodes = (Node("x", "", "input"), Node("conv"), Node("pool"), Node("y", "", "output"))
    edges = (Edge(0, 1), Edge(1, 2), Edge(0, 3), Edge(1, 3), Edge(2, 3))
    sizes = graph_features(Graph(nodes, edges)).sizes
    assert sizes["conv share of output"] == pytest.approx(2 / 3)
    assert sizes["pool share of output"] == pytest.approx(1 / 3)
    assert sizes["conv share of input"] == pytest.approx(1 / 2)
    assert sizes["pool share of input"] == pytest.approx(1 / 4)
    assert sizes["conv share of both"] == pytest.approx(sqrt(1 / 3))
    assert (sizes["conv last"], sizes["pool last"]) == (0, 1)


def test_what_leads_nowhere_has_no_share() -> None:
    """Of two inputs and two outputs only one of each is joined, around a dead end."""
    nodes = (
        Node("a", "", "input"),
        Node("b", "", "input"),
        Node("1"),
        Node("p", "", "output"),
        Node("q", "", "output"),
    )
    sizes = graph_features(Graph(nodes, (Edge(0, 3, "conv"), Edge(0, 2, "pool")))).sizes
    names = [key for key in sizes if "share " in key or key.endswith(" last")]
    assert {key: sizes[key] for key in names} == {
        "conv share of output": 1,
        "conv share of input": 1,
        "conv share of both": 1,
        "conv last": 1,
        "share from a": 1,
        "share from b": 0,
    }
