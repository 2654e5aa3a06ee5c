"""What a search says to somebody who made a common mistake, or whose space was small."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

import naopt

CHOICES = {"width": [16, 32], "depth": naopt.integer(1, 2)}


@pytest.mark.parametrize("function", [lambda width, depth: width * depth, lambda: 1.0, lambda *, values: values])
def test_a_function_of_other_arguments_is_refused_at_once(function: Callable[..., Any]) -> None:
    with pytest.raises(naopt.InputError, match="is called with one argument, a dictionary of values, which it cannot"):
        naopt.search(CHOICES, function, budget=2)


def test_a_search_without_success_says_why() -> None:
    options: dict[str, Any] = {"budget": 2, "searcher": "random", "stop_alike": 0}
    result = naopt.search(CHOICES, lambda _: {"acc": 1.0}, objective="accuracy", **options)
    assert "2 failed, finished; the first failed with: gave no accuracy, but acc" in repr(result)
    assert "gave no accuracy, but acc" in result._repr_html_()


def test_a_small_space_is_not_a_mystery() -> None:
    result = naopt.search(CHOICES, lambda net: net["width"], budget=30, searcher="random")
    assert "4 of 30 evaluations by random, 0 failed, finished: there is nothing new to be found" in repr(result)
    assert "nothing new" not in repr(naopt.search(CHOICES, len, budget=4, searcher="random"))


def test_a_table_goes_by_its_name() -> None:
    result = naopt.search(None, "digits-nao11", budget=2, searcher="random")
    assert result.objective.metric == "valid_acc"
    with pytest.raises(naopt.InputError, match="table 'digits': no such file"):
        naopt.search(None, "digits", budget=2)


def test_a_frame_is_no_history() -> None:
    frame = naopt.search(CHOICES, len, budget=2, searcher="random").to_dataframe()
    with pytest.raises(naopt.InputError, match="history 'a DataFrame': write it into a CSV file, and give that"):
        naopt.search(CHOICES, len, budget=2, history=frame)  # type: ignore[arg-type]


def test_spaces_and_tables_say_what_they_are() -> None:
    table = naopt.load_table("digits-nao11")
    assert repr(naopt.Space(CHOICES)) == "<GenericSpace custom: 2 positions>"
    assert repr(table).startswith(f"<Table digits-nao11: 600 architectures of {table.space.name}, valid_acc")


def test_limits_by_metric_are_limits() -> None:
    def measured(values: Mapping[str, Any]) -> dict[str, float]:
        return {"acc": float(values["width"] * values["depth"]), "ms": float(values["depth"])}

    limits = {"ms": "<=1", "acc": " >= 2"}
    found = naopt.search(CHOICES, measured, objective="acc", limits=limits, budget=4, searcher="random")
    assert found.record.problem.limits == (naopt.Limit("ms", "max", 1.0), naopt.Limit("acc", "min", 2.0))
    assert found.best_value == 32.0
    for wrong in (5, "5", "<5", "=5"):
        with pytest.raises(naopt.InputError, match=f"^limit of ms '{wrong}': must be '<=N' or '>=N'"):
            naopt.search(CHOICES, measured, objective="acc", limits={"ms": wrong})  # type: ignore[dict-item]
