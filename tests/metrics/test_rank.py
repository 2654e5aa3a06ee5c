import math
import time
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from naopt.errors import InputError
from naopt.metrics import (
    best_rank_at_k,
    kendall_tau,
    kendall_tau_interval,
    noise_ceiling,
    pairwise_accuracy,
    precision_at_k,
    spearman,
    spearman_interval,
    tau_of_pairs,
)

scores = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=25)


def brute_force(measured: list[float], predicted: list[float]) -> float:
    right, strict = 0.0, 0
    for i, j in combinations(range(len(measured)), 2):
        if measured[i] != measured[j]:
            strict += 1
            product = (measured[i] - measured[j]) * (predicted[i] - predicted[j])
            right += 1 if product > 0 else 0.5 if product == 0 else 0
    return right / strict if strict else math.nan


@given(scores)
def test_pairwise_accuracy_is_the_brute_force_count(pairs: list[tuple[int, int]]) -> None:
    measured, predicted = [float(a) for a, _ in pairs], [float(b) for _, b in pairs]
    assert pairwise_accuracy(measured, predicted) == pytest.approx(
        brute_force(measured, predicted), nan_ok=True, abs=1e-12
    )


def test_pairwise_accuracy_by_hand() -> None:
    assert pairwise_accuracy([1, 2, 3], [10, 20, 30]) == 1
    assert pairwise_accuracy([1, 2, 3], [3, 2, 1]) == 0
    assert pairwise_accuracy([1, 2, 3], [7, 7, 7]) == 0.5
    assert pairwise_accuracy([1, 1, 2], [1, 2, 2]) == 0.75
    assert math.isnan(pairwise_accuracy([1, 1], [1, 2]))
    assert math.isnan(pairwise_accuracy([1], [1]))


def test_without_ties_tau_is_twice_the_accuracy_less_one() -> None:
    rng = np.random.default_rng(0)
    measured = rng.normal(size=15_625)
    predicted = measured + rng.normal(size=15_625)
    accuracy = pairwise_accuracy(measured, predicted)
    assert kendall_tau(measured, predicted) == pytest.approx(2 * accuracy - 1, abs=1e-12)


@given(scores)
def test_correlations_are_those_of_scipy(pairs: list[tuple[int, int]]) -> None:
    measured, predicted = np.array(pairs, dtype=float).T
    if len(set(measured)) == 1 or len(set(predicted)) == 1:
        assert math.isnan(kendall_tau(measured, predicted))
        assert math.isnan(spearman(measured, predicted))
    else:
        assert kendall_tau(measured, predicted) == pytest.approx(stats.kendalltau(measured, predicted)[0])
        assert spearman(measured, predicted) == pytest.approx(stats.spearmanr(measured, predicted)[0])


def over_all_choices(measured: list[float], predicted: list[float], k: int) -> tuple[float, float]:
    """Precision and best rank, mean over every way to choose ``k`` with the largest predictions."""
    by_prediction = sorted(predicted, reverse=True)[:k]
    choices = [
        c
        for c in combinations(range(len(measured)), k)
        if sorted((predicted[i] for i in c), reverse=True) == by_prediction
    ]
    bound = sorted(measured, reverse=True)[k - 1]
    precision = np.mean([sum(measured[i] >= bound for i in c) / k for c in choices])
    rank = np.mean([min(1 + sum(other > measured[i] for other in measured) for i in c) for c in choices])
    return float(precision), float(rank)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3)), min_size=1, max_size=8), st.integers(1, 8))
def test_figures_of_the_top_are_means_over_all_choices(pairs: list[tuple[int, int]], k: int) -> None:
    measured, predicted = [float(a) for a, _ in pairs], [float(b) for _, b in pairs]
    if k > len(pairs):
        assert math.isnan(precision_at_k(measured, predicted, k))
        assert math.isnan(best_rank_at_k(measured, predicted, k))
        return
    precision, rank = over_all_choices(measured, predicted, k)
    assert precision_at_k(measured, predicted, k) == pytest.approx(precision)
    assert best_rank_at_k(measured, predicted, k) == pytest.approx(rank)


def test_figures_of_the_top_by_hand() -> None:
    measured, predicted = [5.0, 4, 3, 2, 1], [1.0, 5, 2, 4, 3]
    assert precision_at_k(measured, predicted, 1) == 0
    assert precision_at_k(measured, predicted, 2) == 0.5
    assert best_rank_at_k(measured, predicted, 1) == 2
    assert best_rank_at_k(measured, [1.0, 2, 3, 4, 5], 2) == 4
    assert precision_at_k(measured, [1.0] * 5, 2) == pytest.approx(0.4)
    assert best_rank_at_k(measured, [1.0] * 5, 1) == pytest.approx(3)
    for function in (precision_at_k, best_rank_at_k):
        with pytest.raises(InputError, match="k '0': must be at least 1"):
            function(measured, predicted, 0)


def test_a_table_of_a_benchmark_takes_no_time() -> None:
    rng = np.random.default_rng(0)
    measured = np.round(rng.normal(size=423_624), 3)
    predicted = measured + rng.normal(size=423_624)
    started = time.perf_counter()
    figures = [f(measured, predicted, 50) for f in (precision_at_k, best_rank_at_k)]
    figures += [kendall_tau(measured, predicted), pairwise_accuracy(measured, predicted)]
    assert time.perf_counter() - started < 10  # quadratic figures would take hours
    assert 0 <= figures[0] < figures[2] < figures[3] < 1 <= figures[1]


@pytest.mark.parametrize("function", [pairwise_accuracy, kendall_tau, spearman])
def test_scores_that_cannot_be_compared_are_refused(function: object) -> None:
    assert callable(function)
    with pytest.raises(InputError, match="equal length"):
        function([1, 2], [1, 2, 3])
    with pytest.raises(InputError, match="equal length"):
        function([[1, 2]], [[1, 2]])
    with pytest.raises(InputError, match="finite"):
        function([1, math.nan], [1, 2])


@pytest.mark.parametrize(("noise", "repeats"), [(0.3, 2), (0.7, 2), (0.7, 4)])
def test_ceiling_is_what_a_perfect_predictor_reaches(noise: float, repeats: int) -> None:
    rng = np.random.default_rng(1)
    true = rng.normal(size=4_000)
    measured = true[:, None] + noise * rng.normal(size=(4_000, repeats))
    ceiling = noise_ceiling(measured)
    assert ceiling is not None
    assert ceiling.perfect_against_one == pytest.approx(pairwise_accuracy(measured[:, 0], true), abs=0.01)
    assert ceiling.perfect_against_mean == pytest.approx(pairwise_accuracy(measured.mean(axis=1), true), abs=0.01)
    assert ceiling.kendall_tau == pytest.approx(2 * ceiling.pairwise_accuracy - 1)


def test_ceiling_of_two_repeats_is_their_agreement() -> None:
    first, second = [1.0, 2.0, 3.0, math.nan, 5.0], [1.0, 3.0, 2.0, 9.0, math.nan]
    ceiling = noise_ceiling(np.array([first, second]).T)
    assert ceiling is not None
    assert ceiling.kendall_tau == pytest.approx(1 / 3)
    assert ceiling.pairwise_accuracy == pytest.approx(2 / 3)


def test_ceiling_of_pure_noise_is_chance() -> None:
    ceiling = noise_ceiling([[1.0, 3.0], [2.0, 2.0], [3.0, 1.0]])
    assert ceiling is not None
    assert (ceiling.perfect_against_one, ceiling.perfect_against_mean) == (0.5, 0.5)


@pytest.mark.parametrize(
    "repeats",
    [
        [1.0, 2.0],
        [[1.0], [2.0]],
        [[1.0, math.nan], [math.nan, 2.0]],
        [[1.0, 1.0], [1.0, 2.0]],
    ],
    ids=["vector", "one repeat", "nothing in common", "constant"],
)
def test_no_ceiling_without_repeats(repeats: list[object]) -> None:
    assert noise_ceiling(np.array(repeats, dtype=float)) is None


def test_interval_of_spearman_against_resamples_one_by_one() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=12)
    y = np.round(x + rng.normal(size=12), 1)
    drawn = np.random.default_rng(7).integers(12, size=(2000, 12))
    known = np.quantile([stats.spearmanr(x[rows], y[rows]).statistic for rows in drawn[:400]], [0.025, 0.975])
    assert spearman_interval(x, y, seed=7) == pytest.approx(known, abs=0.1)
    assert spearman_interval(x, x) == pytest.approx((1, 1))
    assert np.isnan(spearman_interval(x, np.zeros(12))).all()


def test_tau_of_several_pairs() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(2, 15))
    one = tau_of_pairs([(x, y)])
    assert one is not None
    assert (one.value, one.ci95) == (kendall_tau(x, y), kendall_tau_interval(x, y))
    both = tau_of_pairs([(x, y), (x, -y), (x, np.zeros(15))])
    assert both is not None
    assert (both.value, *both.ci95) == pytest.approx((0, 0, 0))
    assert tau_of_pairs([(x, np.zeros(15))]) is None
