"""Intervals and shares by which rankings are judged, against scipy and naive counts."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from naopt.errors import InputError
from naopt.metrics import kendall_tau, kendall_tau_interval, precision_at_k, share_beaten, wilson_interval


@pytest.mark.parametrize("ties", [False, True])
def test_bootstrap_of_tau_is_that_of_scipy(ties: bool) -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=12)
    y = x + rng.normal(size=12)
    if ties:
        x, y = x.round(), y.round()
    drawn = np.random.default_rng(5).multinomial(12, np.full(12, 1 / 12), 2000)
    rows = [np.repeat(np.arange(12), counts) for counts in drawn]
    taus = [stats.kendalltau(x[chosen], y[chosen]).statistic for chosen in rows]
    low, high = kendall_tau_interval(x, y, seed=5)
    assert (low, high) == pytest.approx(np.nanquantile(taus, [0.025, 0.975]))
    assert low < kendall_tau(x, y) < high


def test_interval_of_tau_covers_and_narrows() -> None:
    rng = np.random.default_rng(0)

    def interval(count: int) -> tuple[float, float]:
        x = rng.normal(size=count)
        return kendall_tau_interval(x, x + rng.normal(size=count))

    found = [interval(50) for _ in range(100)]
    # The tau of the population is 2/pi asin(1/sqrt(2)) (Kruskal 1958).
    assert 90 <= sum(low < 0.5 < high for low, high in found) <= 100
    low, high = interval(1000)
    assert high - low < float(np.mean([b - a for a, b in found])) / 3
    assert kendall_tau_interval([1, 2, 3, 4], [2, 4, 6, 8]) == pytest.approx((1.0, 1.0))


def test_no_interval_where_there_is_no_tau() -> None:
    assert all(map(math.isnan, kendall_tau_interval([1.0, 1.0, 1.0], [1.0, 2.0, 3.0])))
    assert all(map(math.isnan, kendall_tau_interval([1.0], [1.0])))
    with pytest.raises(InputError, match="finite"):
        kendall_tau_interval([1.0, math.nan], [1.0, 2.0])


@given(st.integers(0, 4), st.lists(st.integers(0, 4), min_size=1, max_size=30))
def test_share_beaten_counts_ties_half(value: int, others: list[int]) -> None:
    naive = sum(1.0 if other < value else 0.5 if other == value else 0.0 for other in others) / len(others)
    assert share_beaten(value, others) == pytest.approx(naive)


def test_share_of_none() -> None:
    assert math.isnan(share_beaten(1.0, []))


@settings(max_examples=40)
@given(st.integers(1, 200), st.data())
def test_wilson_interval_against_scipy(count: int, data: st.DataObject) -> None:
    hits = data.draw(st.integers(0, count))
    known = stats.binomtest(hits, count).proportion_ci(0.95, method="wilson")
    assert wilson_interval(hits / count, count) == pytest.approx((known.low, known.high), abs=1e-12)


@pytest.mark.parametrize(("share", "count"), [(0.5, 0), (-0.1, 5), (1.1, 5)])
def test_bad_shares(share: float, count: int) -> None:
    with pytest.raises(InputError, match="share"):
        wilson_interval(share, count)


def test_a_constant_prediction_gives_the_overlap_by_chance() -> None:
    measured = [1.0, 5.0, 5.0, 5.0, 2.0]
    assert precision_at_k(measured, np.zeros(5), 2) == pytest.approx(3 / 5)  # three tie for the two best
