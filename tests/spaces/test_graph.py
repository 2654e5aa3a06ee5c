"""Graphs: what is refused, and levels."""

from __future__ import annotations

import pytest

from naopt.spaces import Edge, Graph, Node

NODES = (Node("a", "one", "input"), Node("b", "one"), Node("c", "one", "output"), Node("d", "two"))


def test_levels_are_longest_paths() -> None:
    graph = Graph(NODES, (Edge(1, 2), Edge(0, 2), Edge(0, 1, "conv"), Edge(0, 1, "pool")))
    assert graph.levels() == (0, 1, 2, 0)
    assert graph.parts == ("one", "two")
    assert Graph((), ()).levels() == ()


@pytest.mark.parametrize(
    ("edges", "message"),
    [
        ((Edge(0, 4),), "leads outside the 4 nodes"),
        ((Edge(-1, 0),), "leads outside the 4 nodes"),
        ((Edge(0, 3),), "joins two parts"),
        ((Edge(0, 1), Edge(1, 0)), "has a cycle"),
        ((Edge(1, 1),), "has a cycle"),
    ],
)
def test_graphs_that_cannot_be(edges: tuple[Edge, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Graph(NODES, edges)
