"""In which order a controller decides the positions of a space, node by node."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from naopt.spaces import Position, SearchSpace


@dataclass(frozen=True, slots=True)
class NodeDecisions:
    """The decisions of one node of a cell, or the one of a position that has no place in a cell.

    Attributes:
        references: positions that choose earlier nodes; decided first.
        operations: the others, in their order.
    """

    references: tuple[int, ...]
    operations: tuple[int, ...]

    @property
    def order(self) -> tuple[int, ...]:
        """All positions as they are decided."""
        return self.references + self.operations


@dataclass(frozen=True, slots=True)
class CellDecisions:
    """The decisions of one cell.

    Attributes:
        part: its name; empty for positions that have no place in a cell.
        given: how many nodes are given, not searched: those below the first (its number); 0 outside cells.
        nodes: in their order.
    """

    part: str
    given: int
    nodes: tuple[NodeDecisions, ...]

    @property
    def placed(self) -> bool:
        """Whether it is a cell at all."""
        return bool(self.part)

    @property
    def tree(self) -> bool:
        """Whether each node has one predecessor, as in a recurrent cell."""
        return self.placed and all(len(node.references) == 1 for node in self.nodes)


def decisions(space: SearchSpace) -> tuple[CellDecisions, ...]:
    """Cells in their order; a row of positions without a place is one of its own, each of them a node.

    That a node's references come first changes no validity: they are free (``naopt.spaces.Place``), and before any
    other position all that stands left of it is decided.
    """
    indices = range(len(space.positions))
    found = []
    for part, members in groupby(indices, key=lambda index: _part(space.positions[index])):
        of_cell = list(members)
        first = space.positions[of_cell[0]].place
        keyed = groupby(of_cell, key=lambda index: _node(space.positions, index))
        nodes = tuple(_decided(space.positions, list(of_node)) for _, of_node in keyed)
        found.append(CellDecisions(part, 0 if first is None else first.node, nodes))
    return tuple(found)


def decision_order(space: SearchSpace) -> tuple[int, ...]:
    """All positions as they are decided."""
    return tuple(index for cell in decisions(space) for node in cell.nodes for index in node.order)


def _part(position: Position) -> str:
    return "" if position.place is None else position.place.part


def _node(positions: Sequence[Position], index: int) -> int:
    """Of a position without a place its index."""
    place = positions[index].place
    return index if place is None else place.node


def _decided(positions: Sequence[Position], members: Sequence[int]) -> NodeDecisions:
    def refers(index: int) -> bool:
        place = positions[index].place
        return place is not None and place.refers

    return NodeDecisions(tuple(i for i in members if refers(i)), tuple(i for i in members if not refers(i)))
