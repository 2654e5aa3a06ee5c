"""Paths, sizes and neighbourhoods against an enumeration of all paths, and their invariance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from statistics import mean
from typing import TypeAlias

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from naopt.latent import graph_features as module
from naopt.latent.graph_features import GraphFeatures, graph_features
from naopt.spaces import Architecture, Edge, Graph, Node, SearchSpace
from tests.spaces.examples import SPACES

Vertices: TypeAlias = "nx.MultiDiGraph[int]"
WITH_GRAPHS = [
    "nao-11-1",
    "enas-5-3",
    "darts-1",
    "two-operations",
    "custom-2",
    "nasbench101",
    "nasbench201",
    "baseline",
    "recurrent-3",
    "recurrent-5",
    "listed-201",
]


def sampled(name: str, count: int = 40) -> Iterator[tuple[SearchSpace, Architecture]]:
    space, rng = SPACES[name], np.random.default_rng(3)
    for _ in range(count):
        yield space, space.sample(rng)


def vertex_form(graph: Graph, part: str) -> tuple[Vertices, dict[int, str], list[int], list[int]]:
    """One part with its operations as vertices: graph, names of operations and inputs, inputs, outputs."""
    form: Vertices = nx.MultiDiGraph()
    names: dict[int, str] = {}
    on_edges = any(edge.label for edge in graph.edges)
    kinds: dict[str, list[int]] = {"input": [], "inner": [], "output": []}
    for index, node in enumerate(graph.nodes):
        if node.part == part:
            form.add_node(index)
            kinds[node.kind].append(index)
            if node.kind == "input" or (node.kind == "inner" and not on_edges):
                names[index] = node.label
    for edge in graph.edges:
        if graph.nodes[edge.source].part != part:
            continue
        if edge.label:
            operation = len(graph.nodes) + form.number_of_edges()
            names[operation] = edge.label
            form.add_edges_from([(edge.source, operation), (operation, edge.target)])
        else:
            form.add_edge(edge.source, edge.target)
    return form, names, kinds["input"], kinds["output"]


def ways(form: Vertices, inputs: list[int], outputs: list[int]) -> list[list[int]]:
    """Every path from an input to an output; as often as there are parallel edges."""
    return [way for a in inputs for b in outputs for way in nx.all_simple_paths(form, a, b)]


def naive_paths(space: SearchSpace, graph: Graph) -> Counter[str]:
    found: Counter[str] = Counter()
    for part in graph.parts:
        form, names, inputs, outputs = vertex_form(graph, part)
        for way in ways(form, inputs, outputs):
            words = [names[v] for v in way[1:] if v in names and names[v] not in space.skips]
            if len(inputs) > 1:
                words.insert(0, names[way[0]])
            found[(f"{part}/" if len(graph.parts) > 1 else "") + ">".join(words)] += 1
    return found


def naive_sizes(space: SearchSpace, graph: Graph) -> dict[str, float]:
    found: dict[str, float] = {}
    for part in graph.parts:
        form, names, inputs, outputs = vertex_form(graph, part)
        all_ways = ways(form, inputs, outputs)
        if not all_ways:
            continue
        live = set().union(*map(set, all_ways))
        operations = [v for v in live if v in names and v not in inputs]
        words = [[names[v] for v in way if v in operations and names[v] not in space.skips] for way in all_ways]
        starts = [way[0] if len(inputs) > 1 else 0 for way in all_ways]
        sizes: dict[str, float] = {
            "operations": len(operations),
            "vertices": len(live),
            "longest": max(map(len, words)),
            "shortest": min(map(len, words)),
            "mean length": mean(map(len, words)),
            "paths": len(all_ways),
            "kinds of path": len(set(zip(starts, map(tuple, words), strict=True))),
            "direct": sum(not way for way in words),
            "into the output": sum(form.number_of_edges(u, v) for u in live for v in outputs),
        }
        for name in {names[v] for v in operations}:
            along = [way.count(name) for way in words]
            sizes[f"{name} in all"] = sum(names[v] == name for v in operations)
            sizes |= {f"{name} at most": max(along), f"{name} at least": min(along), f"{name} on average": mean(along)}
        for v in inputs:
            sizes[f"out of {names[v]}"] = sum(form.number_of_edges(v, u) for u in live)
        found |= {(f"{part}/" if len(graph.parts) > 1 else "") + name: value for name, value in sizes.items()}
    return found


def naive_local(space: SearchSpace, graph: Graph) -> Counter[str]:
    """Neighbours of a vertex: the first that is named on each way from it."""
    found: Counter[str] = Counter()
    for part in graph.parts:
        form, names, inputs, outputs = vertex_form(graph, part)
        all_ways = ways(form, inputs, outputs)
        live = set().union(*map(set, all_ways)) if all_ways else set()
        shown = {v: names.get(v, "out" if v in outputs else "") for v in live}
        shown = {v: name for v, name in shown.items() if name and (name not in space.skips)}

        def nearest(start: int, towards: Vertices, shown: dict[int, str] = shown) -> list[str]:
            words: list[str] = []
            for _, other in towards.edges(start):
                if other in shown:
                    words.append(shown[other])
                else:
                    words += nearest(other, towards, shown)
            return sorted(words)

        inside = form.subgraph(live)
        for v, name in shown.items():
            above, below = nearest(v, inside.reverse(copy=True)), nearest(v, inside)
            before, after = f"({','.join(above)})", f"({','.join(below)})"
            words = [f"{before} {name}", f"{name} {after}", f"{before} {name} {after}"]
            words += [f"{other} > {name}" for other in above]
            found.update((f"{part}/" if len(graph.parts) > 1 else "") + word for word in words)
    return found


@pytest.mark.parametrize("name", WITH_GRAPHS)
def test_features_are_those_of_all_paths(name: str) -> None:
    kinds = set()
    for space, architecture in sampled(name):
        graph = space.graph(architecture)
        found = graph_features(graph, space.skips)
        assert found.paths == naive_paths(space, graph)
        assert found.local == naive_local(space, graph)
        expected = naive_sizes(space, graph)
        assert expected.keys() <= found.sizes.keys()
        assert {key: found.sizes[key] for key in expected} == pytest.approx(expected)
        kinds.add(frozenset(found.paths.items()))
    assert len(kinds) > 1


def same(first: GraphFeatures, second: GraphFeatures) -> bool:
    return (
        first.paths == second.paths
        and first.local == second.local
        and first.sizes == pytest.approx(second.sizes, rel=1e-12)
    )


@given(st.data())
def test_what_is_the_same_network_has_the_same_features(data: st.DataObject) -> None:
    space = SPACES[data.draw(st.sampled_from(sorted(SPACES)))]
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    architecture = space.sample(rng)
    features = graph_features(space.graph(architecture), space.skips)
    for tokens in (space.symmetric(architecture.tokens, rng), space.canonical(architecture.tokens)):
        assert same(features, graph_features(space.graph(space.architecture(tokens)), space.skips))


def chain(labels: list[list[str]]) -> Graph:
    """Vertices in a row, and between neighbours one edge for each label."""
    last = len(labels)
    nodes = [Node(str(i), kind="input" if i == 0 else "output" if i == last else "inner") for i in range(last + 1)]
    edges = [Edge(i, i + 1, label) for i, step in enumerate(labels) for label in step]
    return Graph(tuple(nodes), tuple(edges))


def test_of_too_many_paths_the_shortest_are_kept() -> None:
    features = graph_features(chain([["a", "b", "skip"]] * 10), {"skip"})
    assert len(features.paths) == module._MOST_PATHS == 2**9
    lengths = Counter(path.count(">") + 1 for path in features.paths if path)
    assert lengths == {**{length: 2**length for length in range(1, 9)}, 9: 1}
    assert features.paths[""] == 1
    assert features.paths["a"] == 10


def test_parallel_edges_are_several_ways() -> None:
    features = graph_features(chain([["a", "a"], ["b", "b", "c"]]))
    assert features.paths == {"a>b": 4, "a>c": 2}
    assert features.sizes["paths"] == 6
    assert features.local["a > b"] == 4
    assert features.local["(a,a) b (out)"] == 2


def test_what_leads_nowhere_counts_nothing() -> None:
    nodes = (Node("in", kind="input"), Node("1"), Node("2"), Node("3"), Node("out", kind="output"))
    alive = (Edge(0, 1, "a"), Edge(1, 4, "b"))
    dead = (Edge(0, 2, "c"), Edge(3, 4, "d"))
    assert same(graph_features(Graph(nodes, alive + dead)), graph_features(Graph(nodes, alive)))
    assert graph_features(Graph(nodes, dead)) == GraphFeatures()
    none = SPACES["nasbench201"]
    assert graph_features(none.graph(none.architecture([0] * 6)), none.skips) == GraphFeatures()
