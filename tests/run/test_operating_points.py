"""Between operating points, and which of them is taken where none is named."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from naopt.errors import InputError
from naopt.run.operating_points import OperatingPoint, default_point, thrift_for


def points(latencies: list[float], accuracies: list[float]) -> list[OperatingPoint]:
    thrifts = np.linspace(0, 1, len(latencies))
    return [
        OperatingPoint(float(t), a, 1.0, latency, 0.1, 3, 0.5)
        for t, latency, a in zip(thrifts, latencies, accuracies, strict=True)
    ]


def test_thrift_is_what_interpolation_says() -> None:
    found = points([0.9, 0.7, 0.3], [90, 90, 80])
    for latency in (0.3, 0.45, 0.7, 0.88, 0.9):
        assert thrift_for(found, latency) == pytest.approx(np.interp(-latency, [-0.9, -0.7, -0.3], [0, 0.5, 1]))


def test_of_a_curve_that_turns_the_less_thrifty_end_counts() -> None:
    assert thrift_for(points([0.8, 0.4, 0.6, 0.2], [1, 1, 1, 1]), 0.5) == pytest.approx(0.25)
    assert thrift_for(points([0.5, 0.5], [1, 1]), 0.5) == 0


@pytest.mark.parametrize("latency", [0.29, 0.91])
def test_what_is_out_of_reach_is_refused_with_the_range(latency: float) -> None:
    with pytest.raises(InputError, match=r"from 0\.3 to 0\.9"):
        thrift_for(points([0.9, 0.3], [90, 80]), latency)


def test_one_point_is_all_there_is() -> None:
    assert thrift_for(points([0.5], [90]), 0.5) == 0
    with pytest.raises(InputError, match=r"only 0\.5"):
        thrift_for(points([0.5], [90]), 0.6)


def test_the_default_is_what_the_network_was_tuned_for() -> None:
    found = points([0.9, 0.7, 0.3], [95.0, 95.2, 80.0])
    assert default_point([*found[:2], replace(found[2], tuned=True)]).latency == 0.3


def test_the_default_is_the_cheapest_that_is_as_good_as_the_best() -> None:
    assert default_point(points([0.9, 0.7, 0.5, 0.3], [95.0, 95.2, 94.9, 94.8])).latency == 0.5
