"""Settings are parsed at the edge, with errors that name key, value and rule."""

from __future__ import annotations

import math
from typing import Any

import pytest
from pydantic import Field, ValidationError, model_validator

from naopt.configuration import Settings, parse_settings, split_settings
from naopt.errors import InputError, UnknownNameError


class Inner(Settings):
    rate: float = Field(0.1, gt=0)


class Example(Settings):
    count: int = Field(3, ge=1)
    inner: Inner = Inner()
    name: str = "x"

    @model_validator(mode="after")
    def _checked(self) -> Example:
        if self.name == "forbidden" and self.count > 1:
            raise ValueError("a forbidden name goes with count 1")
        return self


def test_loose_values_become_settings() -> None:
    settings = Example.parse({"count": "4", "inner": {"rate": "1e-3"}})
    assert settings == Example(count=4, inner=Inner(rate=1e-3))
    with pytest.raises(ValidationError, match="frozen"):
        settings.count = 5  # type: ignore[misc]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"count": "many"}, "setting count 'many': Input should be a valid integer"),
        ({"count": 0}, "setting count '0': Input should be greater than or equal to 1"),
        ({"inner": {"rate": 0}}, "setting inner.rate '0': Input should be greater than 0"),
        ({"inner": {"rate": math.inf}}, "setting inner.rate 'inf': Input should be a finite number"),
        ({"inner": {"rate": "nan"}}, "setting inner.rate 'nan': Input should be"),
        ({"inner": {"rat": 1}}, "setting inner.rat '1': Extra inputs are not permitted"),
        ({"name": "forbidden"}, "a forbidden name goes with count 1"),
    ],
)
def test_first_broken_rule_is_named(values: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        Example.parse(values)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_misspelt_key_gets_a_suggestion() -> None:
    with pytest.raises(UnknownNameError, match="--set 'cuont': unknown; did you mean 'count'"):
        Example.parse({"cuont": 1}, "--set")


def test_commas_in_brackets_separate_nothing() -> None:
    assert parse_settings("layers=[5, 6],name = x,rate=0.5") == {"layers": [5, 6], "name": "x", "rate": 0.5}
    assert split_settings("a,b=[[1,2],[3]], c={x=1,y=2},") == ["a", "b=[[1,2],[3]]", "c={x=1,y=2}", ""]
    with pytest.raises(InputError, match="must be KEY=VALUE"):
        parse_settings("layers=[5],")
