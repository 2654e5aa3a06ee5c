"""The three tests against scikit-learn, analysis of variance, and full enumeration; and that they keep their level."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from scipy.spatial.distance import pdist, squareform
from scipy.stats import f_oneway, kstest, spearmanr
from sklearn.linear_model import Ridge

from naopt.probes.statistics import alike, follows, p_value, predictivity, ridge


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_p_values_count_the_observation_itself() -> None:
    assert p_value(0, 999) == 0.001
    assert p_value(999, 999) == 1.0


# Ridge regression.


@pytest.mark.parametrize("dimensions", [3, 60])
def test_the_penalty_is_chosen_by_leaving_one_out(dimensions: int) -> None:
    """For each label by itself, by as many fits as there are rows and penalties; more states than rows too."""
    draw = rng(dimensions)
    train, test = draw.normal(size=(40, dimensions)), draw.normal(size=(7, dimensions))
    train -= train.mean(axis=0)
    labels = np.stack([train[:, 0] + 0.1 * draw.normal(size=40), draw.normal(size=40)], axis=1) + 3
    penalties = 40 * np.array([1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0])

    def left_out(penalty: float, label: np.ndarray) -> float:
        guessed = [
            Ridge(penalty).fit(np.delete(train, i, 0), np.delete(label, i)).predict(train[[i]]) for i in range(40)
        ]
        return float(((np.concatenate(guessed) - label) ** 2).sum())

    best = [min(penalties, key=lambda penalty: left_out(penalty, label)) for label in labels.T]
    assert len(set(best)) > 1 or dimensions > 3
    expected = [Ridge(penalty).fit(train, label).predict(test) for penalty, label in zip(best, labels.T, strict=True)]
    np.testing.assert_allclose(ridge(train, labels, test), np.stack(expected, axis=1), atol=1e-6)
    np.testing.assert_allclose(ridge(train, labels[:, :1], test), expected[0][:, None], atol=1e-6)


def test_states_that_are_all_the_same_predict_the_mean() -> None:
    labels = rng(0).normal(size=(20, 2))
    np.testing.assert_allclose(ridge(np.empty((20, 0)), labels, np.empty((3, 0))), [labels.mean(axis=0)] * 3)
    (found, _) = predictivity(np.ones((20, 4)), labels, 9, rng(1))
    assert found.r2 < 0


def test_what_is_there_is_found_and_what_is_not_is_not() -> None:
    draw = rng(1)
    states = np.concatenate([draw.normal(size=(150, 6)), np.ones((150, 1))], axis=1)
    labels = np.stack([states @ np.arange(7.0), draw.normal(size=150), np.exp(states[:, 0])], axis=1)
    linear, noise, monotone = predictivity(states, labels, 99, rng(2))
    assert linear.r2 > 0.999
    assert linear.p == 0.01
    assert noise.r2 < 0.05
    assert noise.p > 0.05
    assert 0.3 < monotone.r2 < monotone.spearman
    assert predictivity(states, labels, 99, rng(2)) == [linear, noise, monotone]


def test_permutations_in_parts_are_the_same_permutations(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = rng(4)
    states, labels = draw.normal(size=(40, 4)), draw.normal(size=(40, 3))
    whole = predictivity(states, labels, 30, rng(3))
    monkeypatch.setattr("naopt.probes.statistics._COLUMNS", 7)
    assert predictivity(states, labels, 30, rng(3)) == whole


def test_chance_gives_uniform_p_values() -> None:
    found = []
    for seed in range(60):
        draw = rng(seed)
        (result,) = predictivity(draw.normal(size=(30, 3)), draw.normal(size=(30, 1)), 39, draw)
        found.append(result.p)
    assert kstest(found, "uniform").pvalue > 1e-3


# Intraclass ratio.


def grouped(groups: int, copies: int, between: float, seed: int = 0) -> Any:
    draw = rng(seed)
    return between * draw.normal(size=(groups, 1)).repeat(copies, axis=1) + draw.normal(size=(groups, copies))


def test_the_ratio_is_that_of_an_analysis_of_variance() -> None:
    values = grouped(7, 5, 1.5)
    found = alike(squareform(pdist(values.reshape(-1, 1))), 5, 99, rng())
    ratio_of_squares = f_oneway(*values).statistic
    assert found.ratio == pytest.approx((ratio_of_squares - 1) / (ratio_of_squares + 4))
    pairs = list(itertools.combinations(range(35), 2))
    flat = values.ravel()
    within = [abs(flat[i] - flat[j]) for i, j in pairs if i // 5 == j // 5]
    across = [abs(flat[i] - flat[j]) for i, j in pairs if i // 5 != j // 5]
    assert (found.within, found.across) == pytest.approx((np.mean(within), np.mean(across)))
    assert found.p == 0.01


def test_its_p_value_is_that_of_all_permutations() -> None:
    values = np.array([0.1, 0.5, 0.4, 0.9])
    distances = np.abs(values[:, None] - values[None])
    every = [alike(distances[np.ix_(order, order)], 2, 1, rng()).ratio for order in itertools.permutations(range(4))]
    observed = alike(distances, 2, 4000, rng())
    share = np.mean([ratio >= observed.ratio - 1e-12 for ratio in every])
    assert observed.p == pytest.approx(share, abs=0.03)


def test_groups_of_equals_and_one_group() -> None:
    values = np.repeat([1.0, 2.0, 5.0], 4)
    found = alike(np.abs(values[:, None] - values[None]), 4, 99, rng())
    assert (found.within, found.ratio) == (0.0, 1.0)
    assert found.p < 0.05
    same = alike(np.zeros((6, 6)), 3, 19, rng())
    assert math.isnan(same.ratio)
    assert (same.within, same.across, same.p) == (0.0, 0.0, 1.0)


def test_alike_keeps_its_level() -> None:
    found = [alike(squareform(pdist(grouped(4, 4, 0.0, s).reshape(-1, 1))), 4, 39, rng(s)).p for s in range(100)]
    assert kstest(found, "uniform").pvalue > 1e-3


# Mantel.


def test_mantel_is_spearman_over_pairs() -> None:
    draw = rng(5)
    points = draw.normal(size=(20, 2))
    near = points + 0.3 * draw.normal(size=points.shape)
    others = {"near": squareform(pdist(near)), "none": squareform(pdist(draw.normal(size=(20, 2)))),
              "flat": squareform(np.ones(190))}  # fmt: skip
    found = follows(squareform(pdist(points)), others, 199, rng())
    for name in ("near", "none"):
        expected = spearmanr(pdist(points), squareform(others[name])).statistic
        assert found[name].spearman == pytest.approx(expected)
    assert found["near"].p == 1 / 200
    assert found["none"].p > 0.05
    assert math.isnan(found["flat"].spearman)
    assert found["flat"].p == 1.0


def test_mantel_against_all_permutations() -> None:
    draw = rng(8)
    first, second = (squareform(pdist(draw.normal(size=(5, 2)))) for _ in range(2))
    upper = np.triu_indices(5, 1)
    every = [
        spearmanr(first[np.ix_(order, order)][upper], second[upper]).statistic
        for order in map(list, itertools.permutations(range(5)))
    ]
    observed = follows(first, {"second": second}, 4000, rng())["second"]
    assert observed.p == pytest.approx(np.mean(np.array(every) >= observed.spearman - 1e-12), abs=0.03)
