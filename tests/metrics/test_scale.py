"""Sums, spreads and squares of numbers as large and as small as floats are."""

from __future__ import annotations

import math
import sys
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from naopt.metrics import mean_intervals, paired_summary, summarise
from naopt.metrics.scale import (
    exponent,
    exponents,
    mean,
    mean_squared_difference,
    scaled,
    standard_deviation,
    unscaled,
)

LARGEST = sys.float_info.max
ROWS = st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=8)


@given(ROWS)
def test_the_largest_is_a_half_to_one_and_comes_back(numbers: list[float]) -> None:
    unit = exponent(numbers)
    found = scaled(numbers, unit)
    assert 0.5 <= np.abs(found).max() < 1 or not any(numbers)
    # What is 2 ** 1022 times smaller than the largest may be lost.
    kept = np.abs(found) >= sys.float_info.min
    assert unscaled(found, unit)[kept].tolist() == np.array(numbers)[kept].tolist()


@given(ROWS)
def test_means_are_those_of_exact_arithmetic(numbers: list[float]) -> None:
    exact = float(sum(map(Fraction, numbers)) / len(numbers))
    assert math.isclose(mean(numbers), exact, rel_tol=1e-9, abs_tol=1e-12 * max(map(abs, numbers)) + 5e-323)
    assert 0 <= standard_deviation(numbers) <= LARGEST


@given(st.lists(st.floats(-1e100, 1e100).filter(lambda x: x == 0 or abs(x) > 1e-100), min_size=1, max_size=8))
def test_no_bit_changes_where_nothing_overflows(numbers: list[float]) -> None:
    assert mean(numbers) == np.mean(numbers)
    assert standard_deviation(numbers) == np.std(numbers)


def test_what_no_float_holds_is_the_largest() -> None:
    extremes = np.array([LARGEST, -LARGEST, LARGEST])
    assert unscaled([0.75, -0.75], 1025).tolist() == [LARGEST, -LARGEST]
    assert mean_squared_difference(extremes, -extremes) == LARGEST
    assert mean_squared_difference(np.array([3.0, 1.0]), np.array([1.0, 1.0])) == 2.0
    assert standard_deviation([LARGEST, -LARGEST]) == LARGEST
    assert exponents(np.array([[1.0, 0.0], [4.0, 0.0]])).tolist() == [3, 0]


@pytest.mark.parametrize("size", [1e307, 1.0, 1e-310])
@pytest.mark.parametrize("count", [4, 31])
def test_statistics_of_trials_scale(size: float, count: int) -> None:
    values = np.resize([3.0, 8.0, 5.0, 17.0], count)
    plain, other = summarise(values), summarise(values * size)
    assert other.mean == pytest.approx(plain.mean * size, rel=1e-9)
    assert other.std == pytest.approx(plain.std * size, rel=1e-9)
    assert other.ci95 == pytest.approx([min(LARGEST, end * size) for end in plain.ci95], rel=1e-9)
    assert mean_intervals(values[:, None] * size)[0].tolist() == list(other.ci95)
    paired = paired_summary(values * size, -values * size)
    assert (paired.larger, paired.smaller) == (count, 0)
    assert paired.difference.mean == pytest.approx(min(LARGEST, 2 * plain.mean * size), rel=1e-9)
