import math
from itertools import product

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import stats

from naopt.errors import InputError
from naopt.metrics import (
    CensoredMedian,
    bootstrap_interval,
    bootstrap_intervals,
    censored_median,
    paired_columns,
    paired_summary,
    sign_test,
    signed_rank_test,
    summarise,
    summarise_columns,
)

finite = st.floats(-1e6, 1e6)


def test_interval_is_that_of_scipy() -> None:
    values = np.random.default_rng(0).normal(size=30)
    expected = stats.bootstrap((values,), np.mean, method="percentile", random_state=1).confidence_interval
    assert bootstrap_interval(values) == pytest.approx((expected.low, expected.high), abs=0.02)
    assert bootstrap_interval(values) == bootstrap_interval(values)
    assert bootstrap_interval(values, seed=1) != bootstrap_interval(values)


def test_interval_covers_the_mean_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    intervals = [bootstrap_interval(rng.normal(size=40), level=0.8) for _ in range(100)]
    assert 65 <= sum(low <= 0 <= high for low, high in intervals) <= 92


def test_summary() -> None:
    summary = summarise([1.0, 2.0, 6.0])
    assert summary.mean == 3
    assert summary.std == pytest.approx(math.sqrt(7))
    assert summary.ci95 == pytest.approx(stats.t.interval(0.95, 2, loc=3, scale=math.sqrt(7 / 3)))


def test_a_single_trial_has_no_spread() -> None:
    summary = summarise([2.5])
    assert (summary.mean, summary.std, summary.ci95) == (2.5, 0.0, (2.5, 2.5))


def test_pairs_are_compared_trial_by_trial() -> None:
    pair = paired_summary([3.0, 5.0, 5.0, 1.0], [1.0, 2.0, 5.0, 2.0])
    assert (pair.larger, pair.equal, pair.smaller) == (2, 1, 1)
    assert pair.difference.mean == 1.0
    expected = stats.ttest_rel([3.0, 5.0, 5.0, 1.0], [1.0, 2.0, 5.0, 2.0]).confidence_interval(0.95)
    assert pair.difference.ci95 == pytest.approx((expected.low, expected.high))


def test_bad_trials_are_refused() -> None:
    for values in ([], [1.0, math.nan], [[1.0]]):
        with pytest.raises(InputError, match="at least one finite"):
            summarise(values)
    with pytest.raises(InputError, match="equally many"):
        paired_summary([1.0], [1.0, 2.0])


def naive_interval(values: list[float], seed: int) -> tuple[float, float]:
    """A loop over the same resamples."""
    rng = np.random.default_rng(seed)
    means = []
    for _ in range(10):
        means += [
            sum(values[i] for i in chosen) / len(values)
            for chosen in rng.integers(len(values), size=(1000, len(values)))
        ]
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def test_columns_are_resampled_together() -> None:
    values = np.random.default_rng(0).normal(size=(7, 3)) * 1e3 + 5
    intervals = bootstrap_intervals(values, seed=3)
    assert intervals.shape == (3, 2)
    for column, interval in zip(values.T, intervals, strict=True):
        assert tuple(interval) == pytest.approx(naive_interval(column.tolist(), 3))
        assert tuple(interval) == pytest.approx(bootstrap_interval(column, seed=3), rel=1e-12)
    many = np.random.default_rng(0).normal(size=(30, 3))
    expected = [tuple(row) for row in bootstrap_intervals(many, seed=3).tolist()]
    assert [s.ci95 for s in summarise_columns(many, seed=3)] == expected


@given(st.lists(finite, min_size=1, max_size=12), finite, st.floats(0.1, 10))
@example([-1.0, -5e-324], 0.0, 1.0)
def test_intervals_move_with_the_values(values: list[float], shift: float, scale: float) -> None:
    low, high = bootstrap_interval(values)
    slack = 1e-9 * (max(map(abs, values)) * scale + abs(shift) + 1)
    assert min(values) <= low <= high <= max(values)
    moved = bootstrap_interval(np.array(values) * scale + shift)
    assert moved == pytest.approx((low * scale + shift, high * scale + shift), rel=0, abs=slack)
    turned = bootstrap_interval(-np.array(values))
    assert turned == pytest.approx((-high, -low), rel=0, abs=slack)


@given(finite, st.integers(1, 9))
def test_equal_values_have_an_interval_of_no_width(value: float, count: int) -> None:
    assert bootstrap_interval([value] * count) == (value, value)


def test_paired_columns_are_pairs() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, 4, (9, 2)).astype(float), rng.integers(0, 4, (9, 2)).astype(float)
    for index, pair in enumerate(paired_columns(first, second)):
        difference = first[:, index] - second[:, index]
        assert pair.difference.mean == pytest.approx(difference.mean())
        assert pair.larger + pair.equal + pair.smaller == 9
        assert pair.p_sign == sign_test(pair.larger, pair.smaller)
        assert pair.p_wilcoxon == signed_rank_test(difference)


@given(st.integers(0, 40), st.integers(0, 40))
def test_sign_test_is_the_binomial_one(larger: int, smaller: int) -> None:
    count = larger + smaller
    tail = sum(math.comb(count, k) for k in range(min(larger, smaller) + 1))
    assert sign_test(larger, smaller) == pytest.approx(min(1.0, 2 * tail / 2**count))
    assert sign_test(larger, smaller) == pytest.approx(sign_test(smaller, larger))


def every_sign(differences: list[int]) -> float:
    """Share of all assignments of signs whose rank sum is at least as far from its mean."""
    sizes = [abs(d) for d in differences if d]
    ranks = stats.rankdata(sizes)
    observed = abs(sum(r if d > 0 else -r for r, d in zip(ranks, (d for d in differences if d), strict=True)))
    sums = [abs(sum(s * r for s, r in zip(signs, ranks, strict=True))) for signs in product((1, -1), repeat=len(sizes))]
    return sum(s >= observed - 1e-9 for s in sums) / len(sums)


@given(st.lists(st.integers(-4, 4), min_size=1, max_size=9))
def test_signed_rank_test_counts_every_assignment_of_signs(differences: list[int]) -> None:
    assert signed_rank_test(differences) == pytest.approx(every_sign(differences))


@pytest.mark.parametrize(("count", "method"), [(30, "exact"), (200, "asymptotic")])
def test_signed_rank_test_is_that_of_scipy(count: int, method: str) -> None:
    differences = np.random.default_rng(1).normal(0.15, size=count)
    ranks = stats.rankdata(abs(differences))
    assert len(set(ranks)) == count
    found = signed_rank_test(differences)
    if method == "exact":
        assert found == pytest.approx(stats.wilcoxon(differences, method="exact").pvalue)
    else:
        expected = stats.wilcoxon(differences, correction=True, method="approx").pvalue
        assert found == pytest.approx(expected)
    assert 0 < found < 1


def test_nothing_against_nothing_is_no_evidence() -> None:
    assert signed_rank_test([0.0, 0.0]) == 1
    assert sign_test(0, 0) == 1
    assert signed_rank_test([1.0] * 101) < 1e-15


def test_median_of_what_is_partly_unknown() -> None:
    all_known = censored_median([3, 1, 2])
    assert all_known == CensoredMedian(3, 2, (1, 3))
    half = censored_median([10, 20, math.inf, math.inf])
    assert half == CensoredMedian(2, None, (10, None))
    none = censored_median([math.inf] * 5)
    assert none == CensoredMedian(0, None, (None, None))
    assert censored_median([7]).ci95 == (7, 7)
    for values in ([], [math.nan]):
        with pytest.raises(InputError, match="at least one number"):
            censored_median(values)


@given(st.lists(st.integers(1, 150), min_size=1, max_size=20))
def test_what_is_beyond_the_end_only_counts_as_large(values: list[int]) -> None:
    hidden = censored_median([v if v <= 100 else math.inf for v in values])
    shown = censored_median(values)
    assert hidden.found == sum(v <= 100 for v in values)
    if shown.median is not None and max(values) <= 100:
        assert hidden == shown
    if hidden.median is not None:
        assert hidden.median == shown.median
    if hidden.ci95[0] is not None:
        assert hidden.ci95[0] == shown.ci95[0]


def test_bad_tables_are_refused() -> None:
    for values in (np.zeros((0, 2)), [1.0], [[math.nan]]):
        with pytest.raises(InputError, match="table of finite numbers"):
            bootstrap_intervals(values)
