"""A convolutional cell in words, and the two cells of an architecture as a graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from naopt.spaces.graph import Edge, Graph, Node

CELLS = ("normal", "reduction")
OUTPUTS = ("loose-ends", "nodes")


@dataclass(frozen=True, slots=True)
class CellSpec:
    """One cell in words.

    Attributes:
        nodes: per node its two (input index, operation name) branches; inputs 0 and 1 are the cell's.
        output: what the cell's output joins: its ``loose-ends`` (NAO, ENAS) or all its ``nodes`` (DARTS).
    """

    nodes: tuple[tuple[tuple[int, str], tuple[int, str]], ...]
    output: str = OUTPUTS[0]

    def output_ends(self) -> tuple[int, ...]:
        """Inputs and nodes that are concatenated to the cell's output, ascending."""
        return self.loose_ends() if self.output == "loose-ends" else tuple(range(2, len(self.nodes) + 2))

    def loose_ends(self) -> tuple[int, ...]:
        """Inputs and nodes that no node consumes."""
        used = {source for node in self.nodes for source, _ in node}
        return tuple(index for index in range(len(self.nodes) + 2) if index not in used)


def cells_graph(cells: Mapping[str, CellSpec]) -> Graph:
    """A part a cell; operations on edges; what the output joins."""
    vertices: list[Node] = []
    edges: list[Edge] = []
    for part, cell in cells.items():
        base = len(vertices)
        inner = range(2, len(cell.nodes) + 2)
        vertices += [Node("k-2", part, "input"), Node("k-1", part, "input"), *(Node(str(i), part) for i in inner)]
        vertices.append(Node("k", part, "output"))
        edges += [
            Edge(base + source, base + index + 2, operation)
            for index, node in enumerate(cell.nodes)
            for source, operation in node
        ]
        edges += [Edge(base + end, len(vertices) - 1) for end in cell.output_ends()]
    return Graph(tuple(vertices), tuple(edges))
