"""How often 95 % intervals cover what they are of, by simulation."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from naopt.errors import InputError
from naopt.metrics import bootstrap_intervals, censored_median, interval_method, mean_intervals, paired_columns

COUNTS = (3, 5, 10, 20, 50)
Draw = Callable[[np.random.Generator, tuple[int, int]], np.ndarray]


def normal(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    return rng.normal(size=shape)


def skewed(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Log-normal, as regrets are; of mean 0."""
    drawn: np.ndarray = rng.lognormal(size=shape) - np.exp(0.5)
    return drawn


def covered(intervals: Callable[[np.ndarray], np.ndarray], draw: Draw, count: int, repeats: int) -> float:
    """Share of samples, each a column, whose interval holds the mean 0."""
    low, high = intervals(draw(np.random.default_rng(count), (count, repeats))).T
    return float(((low <= 0) & (high >= 0)).mean())


@pytest.mark.parametrize("count", COUNTS)
def test_a_mean_is_covered_as_often_as_said(count: int) -> None:
    assert 0.93 <= covered(mean_intervals, normal, count, 4000 if count < 30 else 1000) <= 0.97


@pytest.mark.parametrize("count", COUNTS)
def test_so_is_a_mean_of_paired_differences(count: int) -> None:
    """The luck of a seed, which both share, is larger than what sets them apart."""

    def intervals(differences: np.ndarray) -> np.ndarray:
        luck = 10 * np.random.default_rng(7).normal(size=differences.shape)
        return np.array([pair.difference.ci95 for pair in paired_columns(luck + differences, luck)])

    assert 0.92 <= covered(intervals, normal, count, 400 if count < 50 else 800) <= 0.98


@pytest.mark.parametrize(("count", "bootstrap", "student"), [(3, 0.75, 0.95), (5, 0.84, 0.95), (10, 0.90, 0.95)])
def test_the_bootstrap_covers_less_with_few_values(count: int, bootstrap: float, student: float) -> None:
    assert covered(bootstrap_intervals, normal, count, 1000) == pytest.approx(bootstrap, abs=0.03)
    assert covered(mean_intervals, normal, count, 1000) == pytest.approx(student, abs=0.02)


@pytest.mark.parametrize(("count", "expected"), [(3, 0.84), (5, 0.82), (10, 0.83), (20, 0.86)])
def test_skewed_values_are_covered_less_but_more_than_by_the_bootstrap(count: int, expected: float) -> None:
    student, bootstrap = (covered(kind, skewed, count, 1000) for kind in (mean_intervals, bootstrap_intervals))
    assert student == pytest.approx(expected, abs=0.03)
    assert student > bootstrap


@pytest.mark.parametrize(("count", "least", "most"), [(3, 0.68, 0.82), (7, 0.82, 0.93), (10, 0.88, 0.98)])
def test_medians_are_covered_less_often_where_there_are_few(count: int, least: float, most: float) -> None:
    rng = np.random.default_rng(count)
    found = [censored_median(rng.lognormal(size=count)).ci95 for _ in range(150)]
    assert least <= np.mean([low is not None and high is not None and low <= 1 <= high for low, high in found]) <= most


def test_few_values_have_students_interval() -> None:
    for count in (2, 19, 29):
        values = np.random.default_rng(count).normal(5, 2, size=(count, 2))
        for column, interval in zip(values.T, mean_intervals(values), strict=True):
            expected = stats.ttest_1samp(column, 0).confidence_interval(0.95)
            assert tuple(interval) == pytest.approx((expected.low, expected.high))
    many = np.random.default_rng(0).normal(size=(30, 2))
    np.testing.assert_array_equal(mean_intervals(many, 4), bootstrap_intervals(many, 4))
    assert [interval_method(count)[:9] for count in (1, 2, 29, 30)] == [
        "of no wid",
        "Student's",
        "Student's",
        "bootstrap",
    ]


@given(st.floats(-1e6, 1e6), st.integers(1, 40))
def test_equal_values_have_an_interval_of_no_width(value: float, count: int) -> None:
    assert mean_intervals([[value]] * count).tolist() == [[value, value]]


@pytest.mark.parametrize("values", [np.zeros((0, 2)), [1.0], [[np.nan]]])
def test_no_interval_of_what_is_no_number(values: object) -> None:
    with pytest.raises(InputError, match="table of finite numbers"):
        mean_intervals(values)  # type: ignore[arg-type]
