"""Spaces written in Python: values come back as they were given, through texts, documents and pickles."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from naopt.errors import ArchitectureSyntaxError, InputError, UnknownNameError
from naopt.spaces import (
    GenericSpace,
    NASBench201Space,
    Position,
    Space,
    choice,
    integer,
    ordinal,
    positions_document,
    positions_from_document,
    space_from_document,
)
from tests.spaces.examples import SPACES, typed

TRICKY = [
    "",
    " ",
    "1",
    "1.0",
    "None",
    "null",
    "True",
    "true",
    '"',
    '"1"',
    "'",
    "a,b=c",
    "a|b",
    "größe",
    "\n",
    "\\",
    "[1]",
]
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.sampled_from([0, 1]),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(TRICKY),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
)
NAMES = st.text(min_size=1, max_size=4).filter(lambda name: name.isprintable() and name.strip())


def by_type(value: object) -> str:
    return f"{type(value).__name__} {value!r}"


@st.composite
def spaces_of_values(draw: st.DrawFn) -> Space:
    rows = draw(
        st.dictionaries(NAMES, st.lists(VALUES, min_size=1, max_size=5, unique_by=by_type), min_size=1, max_size=3)
    )
    return Space({name: draw(st.sampled_from([choice, ordinal]))(values) for name, values in rows.items()})


@given(spaces_of_values(), st.data())
def test_any_values_come_back(space: Space, data: st.DataObject) -> None:
    tokens = [data.draw(st.integers(0, len(position.choices) - 1)) for position in space.positions]
    architecture = space.architecture(tokens)
    text = space.format(architecture)
    assert text == text.strip()
    assert len(text.splitlines()) == 1
    assert space.parse(text).tokens == architecture.tokens
    values = space.values(architecture)
    assert [*map(by_type, values.values())] == [
        by_type(position.values[token]) for position, token in zip(space.positions, tokens, strict=True)
    ]
    assert space.architecture_of(dict(reversed(values.items()))).tokens == architecture.tokens
    again = space_from_document(space.name, json.loads(json.dumps(positions_document(space))))
    assert again == space
    assert hash(again) == hash(space)
    assert again.values(architecture) == values
    assert again.format(architecture) == text


def test_an_example() -> None:
    space = Space(
        {
            "width": choice([16, 32, 64]),
            "depth": integer(1, 6),
            "lr": ordinal([1e-3, 1e-2, 1e-1]),
            "act": ["relu", "gelu", None],
            "norm": [True, False],
        }
    )
    assert (space.name, space.size) == ("custom", 3 * 6 * 3 * 3 * 2)
    values = {"width": 32, "depth": 3, "lr": 0.01, "act": None, "norm": True}
    architecture = space.architecture_of(values)
    assert architecture.tokens == (1, 2, 1, 2, 0)
    assert space.format(architecture) == "width=32,depth=3,lr=0.01,act=null,norm=true"
    assert space.values(architecture) == values
    assert "act = null" in [node.label for node in space.graph(architecture).nodes]


def test_text_next_to_values_that_it_looks_like() -> None:
    space = Space({"p": [None, "null", 1, "1", "None", "a b"]})
    texts = [space.format(space.architecture([token])) for token in range(6)]
    assert texts == ["p=null", 'p="null"', "p=1", 'p="1"', "p=None", 'p="a b"']
    assert Space({"p": [1, 2]}).parse('p="2"').tokens == (1,)
    with pytest.raises(ArchitectureSyntaxError, match=r"'2\.0' is not one of 1, 2"):
        Space({"p": [1, 2]}).parse("p=2.0")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({}, "space 'custom': needs at least one position"),
        ([], "space 'generic': needs at least one position"),
        ([16, 32], "space '[16, 32]': must be a dictionary from names to choices, such as"),
        (16, "space '16': must be a dictionary from names to choices"),
        (None, "space 'None': must be a dictionary from names to choices"),
        ({"": [1]}, "position '': its name must be text that can be printed, and not empty"),
        ({"a\tb": [1]}, "position 'a b': its name must be text that can be printed"),
        ({1: [1]}, "position '1': its name"),
    ],
)
def test_what_is_no_space(source: Any, message: str) -> None:
    with pytest.raises(InputError) as caught:
        Space(source)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("values", "kind", "message"),
    [
        ({"width": 16}, InputError, "values of custom 'width': 'depth' is missing"),
        ({"width": 16, "depth": 1, "depht": 1}, UnknownNameError, "position of custom 'depht': unknown; did you mean"),
        ({"width": 17, "depth": 1}, InputError, "value of width '17': must be one of 16, 32"),
        ({"width": 16.0, "depth": 1}, InputError, "value of width '16.0': must be one of 16, 32"),
        ({"width": "16", "depth": 1}, InputError, "value of width '\"16\"': must be one of 16, 32"),
        ({"width": [16], "depth": 1}, InputError, "value of width '[16]': a value must be text"),
        ([16, 1], InputError, "values of custom '[16, 1]': must be a dictionary"),
    ],
)
def test_values_of_no_architecture(values: Any, kind: type[InputError], message: str) -> None:
    with pytest.raises(kind) as caught:
        Space({"width": [16, 32], "depth": integer(1, 2)}).architecture_of(values)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_every_space_has_values() -> None:
    cell = NASBench201Space().architecture((3, 3, 0, 3, 0, 3))
    values = NASBench201Space().values(cell)
    assert values["0->1"] == "nor_conv_3x3"
    assert NASBench201Space().architecture_of(values) == cell
    with pytest.raises(InputError, match="is not among the 2 listed rows"):
        SPACES["listed-mlp"].architecture_of({"width": "16", "depth": "2"})


def test_equality_counts_names_types_and_order() -> None:
    space = Space({"a": [1, 2], "b": ["x"]})
    assert space == Space({"a": [1, 2], "b": ["x"]})
    assert Space({"b": ["x"]}) == GenericSpace([Position("b", ("x",))], "custom")
    assert len({space, Space({"a": [1, 2], "b": ["x"]})}) == 1
    for other in (
        Space({"a": [1, 2], "b": ["x"]}, name="other"),
        Space({"a": [1.0, 2.0], "b": ["x"]}),
        Space({"a": ["1", "2"], "b": ["x"]}),
        Space({"a": [True, 2], "b": ["x"]}),
        Space({"a": integer(1, 2), "b": ["x"]}),
        Space({"b": ["x"], "a": [1, 2]}),
        NASBench201Space(),
    ):
        assert space != other
    assert pickle.loads(pickle.dumps(typed())) == typed()


def test_documents_of_text_are_as_they_were() -> None:
    space = GenericSpace([Position("a", ("1", "x"), "k"), Position("b", ("y",))], "old")
    document = [{"name": "a", "choices": ["1", "x"], "kind": "k"}, {"name": "b", "choices": ["y"], "kind": "b"}]
    assert positions_document(space) == document
    assert space_from_document("old", document) == space


def test_documents_hold_types_and_order() -> None:
    document = positions_document(Space({"a": integer(1, 2), "b": [None, "x", True, 0.5]}))
    assert document == [
        {"name": "a", "choices": [1, 2], "kind": "a", "ordered": True},
        {"name": "b", "choices": [None, "x", True, 0.5], "kind": "b"},
    ]


@pytest.mark.parametrize("name", ["nasbench201", "mlp", "paper", "listed-201"])
def test_installed_spaces_come_back_from_documents(name: str) -> None:
    space = SPACES[name]
    again = space_from_document(space.name, json.loads(json.dumps(positions_document(space))))
    assert (again.name, again.positions) == (space.name, space.positions)
    assert isinstance(again, GenericSpace) == (name == "mlp")


@pytest.mark.parametrize("name", ["nasbench201", "generic", "conv-cell:nodes=99", "generic:absent.toml", "my space"])
def test_a_space_may_have_a_name_that_means_something_else(name: str) -> None:
    space = Space({"a": [1, 2]}, name=name)
    assert space_from_document(name, positions_document(space)) == space


@pytest.mark.parametrize(
    "document",
    [None, {}, [], ["a"], [{"name": "a"}], [{"name": "a", "choices": "xy"}], [{"name": 1, "choices": ["x"]}]],
)
def test_broken_documents(document: Any) -> None:
    with pytest.raises(InputError) as caught:
        positions_from_document(document)
    assert "\n" not in str(caught.value)


def test_names_are_written_as_people_write_them() -> None:
    space = Space({"log C": [1, 2], 'a="b", c': [None, True]})
    architecture = space.architecture_of({"log C": 2, 'a="b", c': None})
    assert space.parse(space.format(architecture)) == architecture
    assert space.values(architecture) == {"log C": 2, 'a="b", c': None}
