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


def test_order_puts_sources_first_and_keeps_a_numbering_that_does() -> None:
    forward = Graph(NODES, (Edge(1, 2), Edge(0, 2), Edge(0, 1)))
    assert forward.order() == (0, 1, 2, 3)
    backward = Graph(NODES, (Edge(2, 1), Edge(1, 0), Edge(2, 0), Edge(2, 0)))
    assert [node for node in backward.order() if node != 3] == [2, 1, 0]
    assert sorted(backward.order()) == [0, 1, 2, 3]
    assert backward.levels() == (2, 1, 0, 0)


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
