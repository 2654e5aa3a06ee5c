"""What is wanted: objectives, limits, and what is known of them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from naopt.errors import InputError
from naopt.measurement import Measurement
from naopt.problem import Limit, Named, Objective, Problem, closest_to, named_objectives

PROBLEM = Problem((Objective("acc"), Objective("ms", "min")), (Limit("ms", "max", 5.0), Limit("params", "min", 10.0)))


@pytest.mark.parametrize(
    ("metrics", "scores"),
    [
        ({"acc": 3.0, "ms": 5.0, "params": 10.0}, (3.0, -5.0)),
        ({"acc": 3.0, "ms": 5.1, "params": 10.0}, None),
        ({"acc": 3.0, "ms": 5.0, "params": 9.9}, None),
        ({"acc": 3.0, "ms": 5.0}, None),
        ({"ms": 5.0, "params": 10.0}, None),
    ],
)
def test_scores_are_turned_and_of_what_keeps_all_limits(
    metrics: dict[str, float], scores: tuple[float, float] | None
) -> None:
    assert PROBLEM.scores(Measurement(metrics)) == scores
    assert PROBLEM.feasible(Measurement(metrics)) == (scores is not None)
    assert PROBLEM.scores(Measurement(metrics, status="failed", reason="why")) is None


def test_by_how_much_a_limit_is_broken() -> None:
    assert [Limit("ms", "max", 5.0).excess(value) for value in (4.0, 5.0, 7.5)] == [0.0, 0.0, 2.5]
    assert [Limit("acc", "min", 5.0).excess(value) for value in (4.0, 5.0, 7.5)] == [1.0, 0.0, 0.0]
    assert Limit("acc", "min", 5.0).met({}) is None
    values = np.array([4.0, 5.0, 7.5, math.nan])
    assert Limit("ms", "max", 5.0).share(values).tolist() == [0.0, 0.0, 0.5, math.inf]
    assert Limit("gain", "min", -8.0).share(-values[:3]).tolist() == [0.0, 0.0, 0.0]
    assert Limit("bias", "max", 0.0).share(values[:2]).tolist() == [4.0, 5.0]


def test_the_closest_to_limits_is_named_with_what_it_has() -> None:
    limits = (Limit("ms", "max", 5.0), Limit("acc", "min", 90.0), Limit("ms", "min", 1.0))
    metrics = {"ms": np.array([6.0, 5.5, math.nan]), "acc": np.array([90.0, 81.0, 99.0])}
    at, beyond, has = closest_to(limits, metrics)
    assert (at, has) == (0, "ms 6, acc 90")
    assert beyond == pytest.approx(0.2)
    assert closest_to(limits, {**metrics, "acc": np.array([45.0, 81.0, 99.0])})[0] == 1


def test_each_metric_is_named_once() -> None:
    assert PROBLEM.metrics == ("acc", "ms", "params")
    assert not PROBLEM.ordinary
    assert Problem.of(Objective("acc")).ordinary
    assert str(PROBLEM) == "max acc, min ms; ms <= 5; params >= 10"


@pytest.mark.parametrize(
    ("objectives", "limits", "line"),
    [
        ((), (), "objective 'none': a search needs at least one"),
        (("a", "a"), (), "objective 'a': is named twice"),
        (("a",), (("b", "max", 1.0), ("b", "max", 2.0)), "limit --max 'b': is given twice"),
        (
            ("a",),
            (("b", "max", 1.0), ("b", "min", 2.0)),
            "limit of b 'at least 2, at most 1': contradict each other",
        ),
        (("a",), (("b", "max", math.nan),), "limit of b 'nan': must be a finite number"),
        (("a",), (("b", "max", True),), "limit of b 'True': must be a finite number"),
        (("a",), (("", "max", 1.0),), "metric of a limit '': must be its name"),
    ],
)
def test_what_nobody_can_want_is_refused(
    objectives: tuple[str, ...], limits: tuple[tuple[str, str, float], ...], line: str
) -> None:
    with pytest.raises(InputError) as caught:
        Problem(tuple(map(Objective, objectives)), tuple(Limit(*limit) for limit in limits))  # type: ignore[arg-type]
    assert str(caught.value) == line


def test_a_goal_stands_before_a_metric_or_after_it() -> None:
    assert named_objectives("acc, min:ms,ms:max , max:a:b") == (
        Named("acc"),
        Named("ms", "min"),
        Named("ms", "max"),
        Named("a:b", "max"),
    )
    assert named_objectives("") == ()
    assert named_objectives("ms:min,a:b", {"ms:min", "a:b"}) == (Named("ms:min"), Named("a:b"))
    assert Named.parse("min", unnamed=True) == Named("", "min")
    for text in ("", "min", "max:", ":min", "min:max", "mean:ms", "ms:mean", "minimise"):
        with pytest.raises(InputError, match=r"^objective '.*': must be METRIC, min:METRIC, max:METRIC or METRIC:min"):
            Named.parse(text)
    with pytest.raises(InputError, match="did you mean 'min:ms'"):
        Named.parse("minimise:ms")
