"""How spaces and operations are named."""

from __future__ import annotations

from typing import Any

import pytest

from naopt.errors import InputError, UnknownNameError
from naopt.spaces import (
    ConvCellSpace,
    GenericSpace,
    NASBench201Space,
    Position,
    create_space,
    parse_architecture,
    spaces,
)
from naopt.spaces.operations import OPERATION_SETS, OperationSpec, operation_set, operation_specs


def test_spaces_by_name() -> None:
    assert isinstance(create_space("nasbench201"), NASBench201Space)
    space = create_space("conv-cell:nodes=3, operations=conv3x3+identity")
    assert isinstance(space, ConvCellSpace)
    assert (space.nodes, space.operations.operations) == (3, ("conv3x3", "identity"))
    assert create_space("conv-cell", {"nodes": 3, "operations": "conv3x3+identity"}).name == space.name
    assert create_space("generic", {"source": [Position("a", ("1",))]}).size == 1


@pytest.mark.parametrize(
    ("spec", "options", "message"),
    [
        ("conv-cel", {}, "space 'conv-cel': unknown; did you mean 'conv-cell'?"),
        ("", {}, "space '': unknown; known:"),
        ("conv-cell:5", {}, "expected option=value after 'conv-cell:', got '5'"),
        ("conv-cell:nodes=2,nodes=3", {}, "option 'nodes' stands twice"),
        ("conv-cell:node=2", {}, "option of space conv-cell 'node': unknown; did you mean 'nodes'?"),
        ("conv-cell:nodes=two", {}, "space option nodes 'two': must be a whole number"),
        ("conv-cell", {"nodes": 2.5}, "space option nodes '2.5': must be a whole number"),
        ("conv-cell", {"nodes": None}, "space option nodes 'None': must be a whole number"),
        ("conv-cell", {"operations": 5}, "space option operations '5': must be text"),
        ("conv-cell:nodes=99", {}, "must be in 1..16"),
        ("conv-cell:operations=nao-12", {}, "operations 'nao-12': unknown; did you mean 'nao-11'?"),
        ("conv-cell:operations=conv3x3+conv3x4", {}, "operation 'conv3x4': unknown; did you mean 'conv3x3'?"),
        ("conv-cell:operations=conv3x3+conv3x3", {}, "each operation may stand once"),
        ("nasbench201:nodes=4", {}, "option of space nasbench201 'nodes': the space has no options"),
        ("generic", {}, "space 'generic': needs 'source'; write generic:SOURCE"),
        ("generic:", {}, "space 'generic:': needs 'source'"),
    ],
)
def test_names_and_options_that_cannot_be_used(spec: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        create_space(spec, options)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "width=16,depth=2", "conv3x3@0"])
def test_texts_that_no_space_claims(text: str) -> None:
    with pytest.raises(InputError, match="at position 0: not the text form of any space"):
        parse_architecture(text)


def test_outside_annotations_need_not_be_postponed(monkeypatch: pytest.MonkeyPatch) -> None:
    class Outside(GenericSpace):
        """A row of switches."""

        def __init__(self, width: int) -> None:
            super().__init__([Position(str(index), ("off", "on")) for index in range(width)], "outside")

    Outside.__init__.__annotations__["width"] = int
    monkeypatch.setitem(spaces._objects, "outside", Outside)
    assert create_space("outside:width=3").size == 8
    with pytest.raises(InputError, match="needs 'width'; write outside:WIDTH"):
        create_space("outside")


def test_operation_names() -> None:
    assert all(operation_specs.get(name).name == name for name in operation_specs.names())
    assert OperationSpec("identity", "1x1").name == "identity"
    assert operation_set("nao-11") is OPERATION_SETS["nao-11"]
    assert operation_set("conv3x3").operations == ("conv3x3",)
    with pytest.raises(UnknownNameError, match="operation ''"):
        operation_set("conv3x3+")
