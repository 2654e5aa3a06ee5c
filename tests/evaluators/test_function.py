from __future__ import annotations

import math
import sys
from decimal import Decimal
from fractions import Fraction
from functools import partial

import numpy as np
import pytest

from naopt.errors import InputError
from naopt.evaluators import FunctionEvaluator
from naopt.evaluators.function import RaisedError, RaisingEvaluator, UnusableValueError
from naopt.measurement import Measurement, MetricInfo
from naopt.spaces import Architecture, NASBench201Space, Space

SPACE = Space({"width": [16, 32], "norm": bool})
FIRST = SPACE.architecture_of({"width": 16, "norm": True})


def measured(value: object, metric: str = "score") -> Measurement:
    return FunctionEvaluator(SPACE, lambda _: value, metric).evaluate(FIRST, 0)


@pytest.mark.parametrize("value", [2, 2.0, np.float32(2), np.int64(2), np.array(2.0), Fraction(4, 2), Decimal(2)])
def test_numbers_of_all_kinds(value: object) -> None:
    found = measured(value)
    assert (found.status, found.metrics) == ("ok", {"score": 2.0})
    assert type(found.metrics["score"]) is float


@pytest.mark.parametrize(
    "value", [None, "0.5", True, np.bool_(True), [1.0], np.array([1.0, 2.0]), 1j, object(), (1.0, 2.0)]
)
def test_what_is_no_number_is_a_failure_that_says_what_it_is(value: object) -> None:
    found = measured(value)
    assert found.status == "failed"
    assert found.reason.startswith(f"gave {repr(value)[:20]}")
    assert "not a number, a dictionary of numbers or a Measurement" in found.reason


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, np.float64("nan"), 10**400])
def test_a_number_that_is_not_finite_is_a_failure(value: float) -> None:
    found = measured(value)
    assert (found.status, found.metrics) == ("failed", {})
    assert found.reason in {"score is nan", "score is inf", "score is -inf"}


def test_the_number_has_the_name_of_the_objective() -> None:
    evaluator = FunctionEvaluator(SPACE, lambda _: 0.5, "loss", "min")
    assert evaluator.evaluate(FIRST, 0).metrics == {"loss": 0.5}
    assert evaluator.metrics == {"loss": MetricInfo("min")}


def test_dictionaries() -> None:
    given = {"accuracy": 0.5, "loss": np.float32(2)}
    assert measured(given, "loss").metrics == {"accuracy": 0.5, "loss": 2.0}
    assert measured(given).metrics == {"score": 0.5, "accuracy": 0.5, "loss": 2.0}
    assert measured({"loss": 1, "score": 3}).metrics == {"loss": 1.0, "score": 3.0}


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({}, "gave no score, but nothing"),
        ({1: 2.0}, "gave a dictionary in which 1 is not text"),
        ({"score": "high"}, "gave a dictionary in which 'score' is 'high', not a number"),
        ({"score": math.nan, "loss": 1.0}, "score is nan"),
    ],
)
def test_dictionaries_that_are_of_no_use(given: object, reason: str) -> None:
    found = measured(given)
    assert (found.status, found.reason) == ("failed", reason)


def test_the_score_is_no_standard_error_and_keeps_its_own() -> None:
    for given in ({"accuracy": 0.8, "accuracy_se": 0.02}, {"accuracy_se": 0.02, "accuracy": 0.8}):
        found = measured(given)
        assert found.metrics == {"score": 0.8, "score_se": 0.02, "accuracy": 0.8, "accuracy_se": 0.02}
    assert measured({"score_se": 0.02}).reason == "gave no score, but score_se: did you mean score_se?"


def test_a_dictionary_without_the_objective_fails() -> None:
    assert measured({"accuracy": 1.0, "f1": 2.0}, "loss").reason == "gave no loss, but accuracy, f1"


def test_finite_metrics_of_a_failure_are_kept_and_others_left_out_with_a_note() -> None:
    assert measured({"score": math.nan, "loss": 1.0}).metrics == {"loss": 1.0}
    found = measured({"score": 1.0, "f1": math.nan})
    assert (found.status, found.metrics, found.reason) == ("ok", {"score": 1.0}, "without f1, which is nan")


def test_measurements_are_taken_as_they_are() -> None:
    given = Measurement({"score": 1.0, "size": 3.0}, 7.0)
    assert measured(given) == given
    failed = Measurement(status="diverged", reason="loss is nan", seconds=1.0)
    assert measured(failed) == failed
    assert measured(Measurement({"size": 1.0}), "loss").reason == "gave no loss, but size"
    assert 0 < measured(Measurement({"score": 1.0})).seconds < 1


def test_generic_spaces_give_values_and_others_architectures() -> None:
    seen: list[object] = []

    def see(given: object) -> float:
        seen.append(given)
        return 0.0

    FunctionEvaluator(SPACE, see).evaluate(FIRST, 0)
    FunctionEvaluator(SPACE, see, as_values=False).evaluate(FIRST, 0)
    space = NASBench201Space()
    cell = space.sample(np.random.default_rng(0))
    FunctionEvaluator(space, see).evaluate(cell, 0)
    FunctionEvaluator(space, see, as_values=True).evaluate(cell, 0)
    assert seen == [{"width": 16, "norm": True}, FIRST, cell, space.values(cell)]


def with_seed(values: object, seed: int) -> float:
    return float(seed)


def keyword_seed(values: object, *, seed: int = -1) -> float:
    return float(seed)


def seed_comes_first(seed: object) -> float:
    return 1.0


def test_a_function_gets_a_seed_if_it_has_a_place_for_it() -> None:
    for function in (with_seed, keyword_seed, partial(keyword_seed)):
        assert FunctionEvaluator(SPACE, function).evaluate(FIRST, 7).metrics == {"score": 7.0}
    assert FunctionEvaluator(SPACE, seed_comes_first).evaluate(FIRST, 7).metrics == {"score": 1.0}
    assert FunctionEvaluator(SPACE, len).evaluate(FIRST, 7).metrics == {"score": 2.0}


def test_sys_exit_does_not_end_the_search() -> None:
    with pytest.raises(RuntimeError, match=r"it called sys.exit\(3\)"):
        FunctionEvaluator(SPACE, lambda _: sys.exit(3)).evaluate(FIRST, 0)


def test_what_cannot_be_called_is_refused() -> None:
    with pytest.raises(InputError, match="evaluate '7': must be a function"):
        FunctionEvaluator(SPACE, 7)  # type: ignore[arg-type]


def test_strict_functions_raise() -> None:
    def broken(values: Architecture) -> float:
        raise KeyError("width")

    with pytest.raises(UnusableValueError, match="gave None"):
        FunctionEvaluator(SPACE, lambda _: None, strict=True).evaluate(FIRST, 0)
    with pytest.raises(RaisedError) as raised:
        RaisingEvaluator(FunctionEvaluator(SPACE, broken)).evaluate(FIRST, 3)
    assert isinstance(raised.value.error, KeyError)
    assert raised.value.error.__notes__ == ["naopt: raised by the evaluation of width=16,norm=true, seed 3"]
