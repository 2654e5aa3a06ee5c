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
        for edge in self.edges:
            if not (0 <= edge.source < len(self.nodes) and 0 <= edge.target < len(self.nodes)):
                raise ValueError(f"{edge} leads outside the {len(self.nodes)} nodes")
            if self.nodes[edge.source].part != self.nodes[edge.target].part:
                raise ValueError(f"{edge} joins two parts")
        self.levels()

    @property
    def parts(self) -> tuple[str, ...]:
        """The names of the parts, in order of first appearance."""
        return tuple(dict.fromkeys(node.part for node in self.nodes))

    def levels(self) -> tuple[int, ...]:
        """Length of the longest path that ends at each node. Raises ``ValueError`` for a cycle."""
        level = [0] * len(self.nodes)
        for _ in range(len(self.nodes) + 1):
            moved = False
            for edge in self.edges:
                if level[edge.target] <= level[edge.source]:
                    level[edge.target] = level[edge.source] + 1
                    moved = True
            if not moved:
                return tuple(level)
        raise ValueError("the graph has a cycle")
