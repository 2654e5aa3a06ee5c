"""Measurements: a NaN never looks like a number, and a failure has a reason."""

from __future__ import annotations

import math
import pickle
from typing import Any

import pytest

from naopt.measurement import STATUSES, Measurement, MetricInfo
from naopt.searchers import Objective


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"metrics": {"accuracy": math.nan}}, "metric 'accuracy' is not finite"),
        ({"metrics": {"accuracy": -math.inf}}, "metric 'accuracy' is not finite"),
        ({"metrics": {"accuracy": 1.0}, "seconds": math.nan}, "seconds must be finite and not negative"),
        ({"metrics": {"accuracy": 1.0}, "seconds": -1.0}, "seconds must be finite and not negative"),
        ({"metrics": {}}, "an 'ok' measurement needs at least one metric"),
        ({"status": "oom"}, "a 'oom' measurement needs a reason"),
        ({"status": "lost", "reason": "x"}, "status 'lost' is not one of ok, failed"),
    ],
)
def test_what_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Measurement(**arguments)


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
