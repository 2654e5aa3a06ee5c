"""Variance components against the textbook's sums, and against what made the numbers."""

from __future__ import annotations

import numpy as np
import pytest

from naopt.errors import InputError
from naopt.metrics import covariances, variance_components


def by_hand(groups: list[list[float]]) -> tuple[float, float]:
    """Signal and noise by the sums of squares of a one-way analysis of variance, group by group."""
    every = [value for group in groups for value in group]
    total, count = len(every), len(groups)
    within = sum((value - np.mean(group)) ** 2 for group in groups for value in group)
    between = sum(len(group) * (np.mean(group) - np.mean(every)) ** 2 for group in groups)
    noise = within / (total - count)
    each = (total - sum(len(group) ** 2 for group in groups) / total) / (count - 1)
    return float((between / (count - 1) - noise) / each), float(noise)


def test_by_hand() -> None:
    found = variance_components([[1.0, 3.0], [5.0, 7.0], [9.0, 11.0]])
    # Means 2, 6, 10: 2 * 32 / 2 = 32 between, 6 / 3 = 2 within.
    assert (found.mean[0], found.noise[0], found.signal[0]) == pytest.approx((6.0, 2.0, 15.0))
    assert found.reliability[0] == pytest.approx(15 / 17)


@pytest.mark.parametrize("missing", [0, 5])
def test_against_sums_of_squares(missing: int) -> None:
    rng = np.random.default_rng(missing)
    table = 90 + 3 * rng.normal(size=(9, 1)) + rng.normal(size=(9, 3))
    table.ravel()[rng.choice(27, missing, replace=False)] = np.nan
    found = variance_components(table)
    groups = [[value for value in row if np.isfinite(value)] for row in table]
    assert (found.signal[0], found.noise[0]) == pytest.approx(by_hand([group for group in groups if group]))


def test_a_resample_is_the_table_with_copies() -> None:
    rng = np.random.default_rng(1)
    table = 3 * rng.normal(size=(6, 1)) + rng.normal(size=(6, 2))
    counts = np.array([[2, 0, 1, 1, 1, 1], [0, 3, 0, 1, 1, 1]])
    found = variance_components(table, counts)
    for at, drawn in enumerate(counts):
        copied = np.repeat(table, drawn, axis=0)
        signal, noise = by_hand(copied.tolist())
        # Between groups 6 / 5 is made up for.
        assert found.noise[at] == pytest.approx(noise)
        assert found.signal[at] == pytest.approx(((2 * signal + noise) * 6 / 5 - noise) / 2)
        assert found.mean[at] == pytest.approx(copied.mean())


def test_resamples_are_right_on_average() -> None:
    rng = np.random.default_rng(2)
    table = 3 * rng.normal(size=(12, 1)) + rng.normal(size=(12, 2))
    other = table.mean(axis=1) + rng.normal(size=12)
    counts = rng.multinomial(12, np.full(12, 1 / 12), 50_000)
    found, resampled = variance_components(table), variance_components(table, counts)
    assert resampled.signal.mean() == pytest.approx(found.signal[0], rel=0.02)
    covariance = covariances(table.mean(axis=1), other)[0]
    assert covariance == pytest.approx(np.cov(table.mean(axis=1), other)[0, 1])
    assert covariances(table.mean(axis=1), other, counts).mean() == pytest.approx(covariance, rel=0.02)


def test_what_made_the_numbers_is_found() -> None:
    rng = np.random.default_rng(3)
    worth = rng.normal(size=40_000)
    table = 5 + 2 * worth[:, None] + 3 * rng.normal(size=(40_000, 2))
    other = worth + rng.normal(size=(40_000, 2)).mean(axis=1)
    found = variance_components(table)
    assert (found.signal[0], found.noise[0]) == pytest.approx((4, 9), rel=0.03)
    assert covariances(table.mean(axis=1), other)[0] == pytest.approx(2, rel=0.05)


def test_what_is_not_defined() -> None:
    once = variance_components([[1.0], [2.0]])
    assert np.isnan([once.noise[0], once.signal[0]]).all()
    assert np.isnan(variance_components([[1.0, 2.0]]).signal[0])
    assert np.isnan(variance_components(np.full((3, 2), np.nan)).mean[0])
    assert variance_components([[1.0, 9.0], [2.0, 8.0]]).signal[0] == 0
    assert np.isnan(covariances([1.0, np.nan], [2.0, 3.0])[0])
    for wrong in ([1.0, 2.0], [[[1.0]]]):
        with pytest.raises(InputError, match="must be a table"):
            variance_components(wrong)
    with pytest.raises(InputError, match="a column for each of 2 groups"):
        variance_components([[1.0, 2.0], [1.0, 2.0]], [[1, 1, 1]])
    with pytest.raises(InputError, match="equal length"):
        covariances([1.0, 2.0], [1.0])
