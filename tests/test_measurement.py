"""Measurements: a NaN never looks like a number, and a failure has a reason."""

from __future__ import annotations

import math
import pickle
import re
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from naopt.errors import InputError
from naopt.measurement import STATUSES, Measurement, MetricInfo
from naopt.searchers import Objective


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"metrics": {"accuracy": math.nan}}, "metric 'accuracy' is not finite"),
        ({"metrics": {"accuracy": -math.inf}}, "metric 'accuracy' is not finite"),
        ({"metrics": {"accuracy": 1.0}, "seconds": math.nan}, "seconds must be finite and not negative"),
        ({"metrics": {"accuracy": 1.0}, "seconds": -1.0}, "seconds must be finite and not negative"),
        ({"metrics": {"accuracy": 1.0}, "seconds": 1e300}, r"seconds must be .*, at most 1e\+15, got 1e\+300"),
        ({"metrics": {}}, "an 'ok' measurement needs at least one metric"),
        ({"status": "oom"}, "a 'oom' measurement needs a reason"),
        ({"status": "lost", "reason": "x"}, "status 'lost' is not one of ok, failed"),
        ({"metrics": [0.9]}, r"metrics must be numbers by name, such as {'accuracy': 0.9}, got \[0.9\]"),
        ({"metrics": {"accuracy": "0.9"}}, "metric 'accuracy' is '0.9', not a number"),
        ({"metrics": {"accuracy": True}}, "metric 'accuracy' is True, not a number"),
        ({"metrics": {"accuracy": np.bool_(True)}}, "metric 'accuracy' is .*True.*, not a number"),
        ({"metrics": {"accuracy": None}}, "metric 'accuracy' is None, not a number"),
        ({"metrics": {"accuracy": np.ones(1)}}, "metric 'accuracy' is array.*, not a number"),
        ({"metrics": {"accuracy": 10**400}}, "metric 'accuracy' is not finite"),
        ({"metrics": {3: 0.9}}, "the name of a metric must be text, got 3"),
        ({"metrics": {"accuracy": 1.0}, "seconds": "3"}, "seconds must be finite .*, got '3'"),
        ({"status": "failed", "reason": KeyError("x")}, "reason must be text, got KeyError"),
    ],
)
def test_what_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Measurement(**arguments)


def test_numbers_of_any_kind_become_floats() -> None:
    given = {"numpy": np.float32(0.5), "whole": 3, "row": np.array(2.0), "fraction": Fraction(1, 4)}
    measurement = Measurement(given, seconds=np.int64(2))  # type: ignore[arg-type]
    assert measurement == Measurement({"numpy": 0.5, "whole": 3.0, "row": 2.0, "fraction": 0.25}, 2.0)
    assert {type(value) for value in [*measurement.metrics.values(), measurement.seconds]} == {float}
    given["whole"] = math.nan
    assert measurement.metrics["whole"] == 3.0, "what was given and changed later"


@pytest.mark.parametrize(
    ("kind", "given", "line"),
    [
        (Objective, ("v", "maximize"), "goal of objective v 'maximize': unknown; did you mean 'max'? known: max, min"),
        (Objective, ("v", "minimise"), "goal of objective v 'minimise': unknown; did you mean 'min'? known: max, min"),
        (Objective, ("v", "MAX"), "goal of objective v 'MAX': unknown; did you mean 'max'? known: max, min"),
        (Objective, ("v", True), "goal of objective v 'True': must be max or min"),
        (Objective, ("",), "metric of an objective '': must be its name"),
        (Objective, (3,), "metric of an objective '3': must be its name"),
        (MetricInfo, ("maximize",), "goal of a metric 'maximize': unknown; did you mean 'max'? known: max, min"),
        (MetricInfo, ("min", 3), "unit of a metric '3': must be text"),
    ],
)
def test_directions_are_checked_where_they_are_made(kind: type, given: tuple[Any, ...], line: str) -> None:
    with pytest.raises(InputError, match=f"^{re.escape(line)}$"):
        kind(*given)


@pytest.mark.parametrize("status", [status for status in STATUSES if status != "ok"])
def test_failures_may_hold_what_was_known_before(status: Any) -> None:
    measurement = Measurement({"parameters": 10.0}, 2.5, status, "why")
    assert not measurement.ok
    assert Objective("parameters").score(measurement) is None
    assert pickle.loads(pickle.dumps(measurement)) == measurement


def test_the_objective_turns_a_metric_so_that_larger_is_better() -> None:
    measurement = Measurement({"accuracy": 0.5, "latency": 3.0})
    assert measurement.ok
    assert Objective("accuracy").score(measurement) == 0.5
    assert Objective("latency", "min").score(measurement) == -3.0
    assert Objective("other").score(measurement) is None
    assert MetricInfo() == MetricInfo("max", "")
