"""The order in which positions are decided, and that it never asks for what is not yet known."""

from __future__ import annotations

import pytest

from naopt.errors import InputError
from naopt.one_shot.decisions import decision_order, decisions
from naopt.spaces import (
    ConvCellSpace,
    EnumeratedSpace,
    GenericSpace,
    NASBench201Space,
    Place,
    Position,
    RecurrentCellSpace,
)


def test_inputs_of_a_node_come_first() -> None:
    normal, reduction = decisions(ConvCellSpace(2, "enas-5"))
    assert (normal.part, normal.given, normal.tree) == ("normal", 2, False)
    assert [node.references for node in normal.nodes] == [(0, 2), (4, 6)]
    assert [node.operations for node in reduction.nodes] == [(9, 11), (13, 15)]
    assert decision_order(ConvCellSpace(1, "enas-5")) == (0, 2, 1, 3, 4, 6, 5, 7)
    assert decision_order(ConvCellSpace(1))[:6] == (0, 3, 1, 2, 4, 5), "an operation of two tokens"


def test_a_recurrent_cell_is_a_tree() -> None:
    (cell,) = decisions(RecurrentCellSpace(3))
    assert (cell.given, cell.tree) == (1, True)
    assert [node.order for node in cell.nodes] == [(0, 1), (2, 3), (4, 5)]


def test_positions_without_a_place_are_decided_as_they_stand() -> None:
    space = NASBench201Space()
    (edges,) = decisions(space)
    assert (edges.placed, edges.tree) == (False, False)
    assert decision_order(space) == tuple(range(6))
    mixed = GenericSpace([Position("width", ("8", "16")), *RecurrentCellSpace(1).positions], "mixed")
    assert [cell.part for cell in decisions(mixed)] == ["", "recurrent"]


def test_rows_of_a_table_are_decided_as_they_stand() -> None:
    """Which of them there are may forbid an input: its choices are not free."""
    whole = ConvCellSpace(1, "enas-5")
    space = EnumeratedSpace(whole, [[0, 1, 1, 2, 0, 0, 1, 1], [0, 3, 0, 2, 0, 0, 1, 1]])
    assert decision_order(space) == tuple(range(8))
    assert space.positions == whole.positions


def test_a_reference_has_a_choice_for_each_earlier_node() -> None:
    with pytest.raises(InputError, match=r"needs 3 choices, got 2"):
        Position("3/input", ("0", "1"), place=Place("cell", 3, refers=True))
