"""The graph an architecture stands for, free of any framework, and its picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

NodeKind = Literal["input", "inner", "output"]


@dataclass(frozen=True, slots=True)
class Node:
    """A vertex: its label, the part (cell) it belongs to, and its role there."""

    label: str
    part: str = ""
    kind: NodeKind = "inner"


@dataclass(frozen=True, slots=True)
class Edge:
    """An arrow between two vertices (indices into ``Graph.nodes``), labelled with the operation on it."""

    source: int
    target: int
    label: str = ""


@dataclass(frozen=True, slots=True)
class Graph:
    """A directed acyclic multigraph; operations sit on edges, and parts are not connected with each other.

    Raises:
        ValueError: an edge that leads outside the nodes, between parts, or that closes a cycle.
    """

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]

    def __post_init__(self) -> None:
        parts = [node.part for node in self.nodes]
        for edge in self.edges:
            if not (0 <= edge.source < len(parts) and 0 <= edge.target < len(parts)):
                raise ValueError(f"{edge} leads outside the {len(parts)} nodes")
            if parts[edge.source] != parts[edge.target]:
                raise ValueError(f"{edge} joins two parts")
        self.order()

    @property
    def parts(self) -> tuple[str, ...]:
        """The names of the parts, in order of first appearance."""
        return tuple(dict.fromkeys([node.part for node in self.nodes]))

    def order(self) -> tuple[int, ...]:
        """The nodes, sources before targets; as they are numbered if that is such an order.

        Raises:
            ValueError: there is a cycle.
        """
        if all(edge.source < edge.target for edge in self.edges):
            return tuple(range(len(self.nodes)))
        targets: list[list[int]] = [[] for _ in self.nodes]
        waiting = [0] * len(self.nodes)
        for edge in self.edges:
            targets[edge.source].append(edge.target)
            waiting[edge.target] += 1
        order = [node for node, count in enumerate(waiting) if not count]
        for node in order:
            for target in targets[node]:
                waiting[target] -= 1
                if not waiting[target]:
                    order.append(target)
        if len(order) < len(self.nodes):
            raise ValueError("the graph has a cycle")
        return tuple(order)

    def levels(self) -> tuple[int, ...]:
        """Length of the longest path that ends at each node."""
        level = [0] * len(self.nodes)
        place = {node: at for at, node in enumerate(self.order())}
        for edge in sorted(self.edges, key=lambda edge: place[edge.target]):
            level[edge.target] = max(level[edge.target], level[edge.source] + 1)
        return tuple(level)
