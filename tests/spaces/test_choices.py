"""Values of choices: what is taken, what is refused, and labels that tell them apart."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import numpy as np
import pytest

from naopt.errors import InputError
from naopt.spaces import Choices, Position, Space, choice, integer, ordinal
from naopt.spaces.choices import labels


class Size(IntEnum):
    SMALL = 1


def same(found: tuple[object, ...], expected: tuple[object, ...]) -> bool:
    """Equality that counts types."""
    return list(map(repr, found)) == list(map(repr, expected))


def test_kinds_of_choices() -> None:
    assert choice([3, 1]) == Choices((3, 1), ordered=False)
    assert ordinal(["low", "high"]) == Choices(("low", "high"), ordered=True)
    assert integer(1, 6) == Choices((1, 2, 3, 4, 5, 6), ordered=True)
    assert integer(-2, 5, step=3) == Choices((-2, 1, 4), ordered=True)
    assert integer(7, 7).values == (7,)


@pytest.mark.parametrize(
    ("given", "values", "ordered"),
    [
        (["a", 1, 1.0, True, None, "1"], ("a", 1, 1.0, True, None, "1"), False),
        ((False,), (False,), False),
        (range(4, 10, 2), (4, 6, 8), True),
        (bool, (False, True), False),
        (np.array([0.1, 0.5]), (0.1, 0.5), False),
        ([np.int64(3), np.float32(0.5), np.bool_(True), np.str_("a")], (3, 0.5, True, "a"), False),
        (ordinal([10, 2]), (10, 2), True),
        ([0.0, -0.0], (0.0, -0.0), False),
    ],
)
def test_what_a_position_may_be_given(given: Any, values: tuple[object, ...], ordered: bool) -> None:
    position = Space({"p": given}).positions[0]
    assert same(position.values, values)
    assert position.ordered is ordered
    assert [position.token(value) for value in values] == list(range(len(values)))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "choices of p '': needs at least one value"),
        ("relu", "choices of p '\"relu\"': must be a list of values, such as [16, 32, 64]"),
        (16, "choices of p '16': must be a list"),
        (True, "choices of p 'True': must be a list"),
        (None, "choices of p 'None': must be a list"),
        ({1, 2}, "choices of p '{1, 2}': must be a list"),
        ({"a": 1}, "must be a list"),
        (np.zeros((2, 2)), "must be a list"),
        ([1, 2, 1], "choices of p '1, 2, 1': 1 stands twice"),
        (["a", "a"], '"a" stands twice'),
        ([None, 1, None], "None stands twice"),
        ([1.0, float("nan")], "choices of p 'nan': a number must be finite"),
        ([float("-inf")], "a number must be finite"),
        ([[1], [2]], "choices of p '[1]': a value must be text, a number, a boolean or None"),
        ([len], "a value must be text"),
        ([b"a"], "a value must be text"),
        ([1j], "a value must be text"),
        ([Size.SMALL], "a value must be text"),
        (["\ud800", 1], "choices of p ''\\ud800'': text must be valid unicode"),
        ([10**5000], "choices of p '16610 bits': a whole number may have 1024 bits"),
        (range(2000), "choices of p '2000 values': there may be 1024; take larger steps"),
    ],
)
def test_what_it_may_not(given: Any, message: str) -> None:
    with pytest.raises(InputError) as caught:
        Space({"p": given})
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((3, 1), "integer: low '3': must not be above high, which is 1"),
        ((1, 2, 0), "integer: step '0': must be at least 1"),
        ((1, 2.5), "integer: high '2.5': must be a whole number"),
        ((True, 2), "integer: low 'True': must be a whole number"),
        (("1", 2), "integer: low '1': must be a whole number"),
        ((1, 10**6), "choices '1000000 values': there may be 1024"),
    ],
)
def test_integers_that_are_none(arguments: Any, message: str) -> None:
    with pytest.raises(InputError) as caught:
        integer(*arguments)
    assert message in str(caught.value)


@pytest.mark.parametrize("make", [choice, ordinal])
def test_values_are_checked_without_a_space(make: Any) -> None:
    with pytest.raises(InputError, match="choices '': needs at least one value"):
        make([])
    with pytest.raises(InputError, match="must be a list of values"):
        make("relu")


def test_labels_tell_types_apart() -> None:
    assert labels(("1", "true", "null", '"')) == ("1", "true", "null", '"')
    assert labels((1, 1.0, True, None, "1", "true", "None", '"', "-1e5", "1 ")) == (
        *("1", "1.0", "true", "null", '"1"', '"true"', "None", '"\\""', '"-1e5"', "1 "),
    )


def test_a_value_is_found_by_its_type_too() -> None:
    position = Position("width", ("16", "32"), values=("16", "32"))
    assert position.token("32") == 1
    for wrong, shown in ((32, "32"), ("8", '"8"'), (None, "None")):
        with pytest.raises(InputError) as caught:
            position.token(wrong)
        assert str(caught.value) == f'value of width \'{shown}\': must be one of "16", "32"'
    mixed = Space({"p": [1, "1", '"1"', True]}).positions[0]
    assert [mixed.token(value) for value in (1, "1", '"1"', True)] == [0, 1, 2, 3]
    with pytest.raises(InputError, match="must be one of 1"):
        mixed.token(1.0)


def test_long_lists_are_cut_in_messages() -> None:
    with pytest.raises(InputError, match=r"value of p '99': must be one of 0, 1, .*, 11, \.\.\. \(50 in all\)"):
        Space({"p": range(50)}).positions[0].token(99)


def test_positions_take_values_as_they_are() -> None:
    position = Position("width", (16, 32))  # type: ignore[arg-type]
    assert (position.choices, position.values) == (("16", "32"), (16, 32))
    assert position == Position("width", ("16", "32"), values=(16, 32))
    assert position != Position("width", ("16", "32"))
    with pytest.raises(InputError, match="position 'width': choices must be named 16, 32, got 16, 33"):
        Position("width", ("16", "33"), values=(16, 32))
    with pytest.raises(InputError, match="position 'width': needs a list of choices"):
        Position("width", "abc")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="position '3': its name must be text"):
        Position(3, ("a",))  # type: ignore[arg-type]
    with pytest.raises(InputError, match="position width 'inf': a number must be finite"):
        Position("width", (float("inf"), 1))  # type: ignore[arg-type]
