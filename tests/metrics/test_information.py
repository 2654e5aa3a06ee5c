"""Entropy and mutual information against scikit-learn's, closed forms, and what permutations say."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import mutual_info_score

from naopt.errors import InputError
from naopt.metrics import dependence, entropy, mutual_information, permutation_p, spearman_test


@pytest.mark.parametrize("kinds", [(1, 5), (2, 2), (9, 4), (60, 10)])
def test_as_scikit_learn_has_it(kinds: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    x, y = (rng.integers(0, kind, 80).tolist() for kind in kinds)
    assert mutual_information(x, y) == pytest.approx(mutual_info_score(x, y), abs=1e-12)
    assert dependence(x, y, permutations=1).nats == mutual_information(x, y)


def test_closed_forms() -> None:
    assert entropy("aabb") == entropy([0]) + math.log(2)
    assert entropy(range(8)) == pytest.approx(math.log(8))
    assert mutual_information("abcd", "wxyz") == pytest.approx(math.log(4))
    assert mutual_information("aabb", "xyxy") == 0
    assert mutual_information(["a", "b", "c"], [1, 1, 1]) == 0


def test_what_depends_is_told_from_what_does_not() -> None:
    rng = np.random.default_rng(1)
    x, free = rng.integers(0, 5, 300), rng.integers(0, 4, 300)
    tied = np.where(rng.random(300) < 0.4, x % 4, free)
    there, none = dependence(x, tied), dependence(x, free)
    assert there.p == pytest.approx(1 / 1000)
    assert none.p > 0.05
    assert there.nats > 3 * there.by_chance
    # The estimate's bias by chance: (kinds - 1)(kinds - 1) / 2n (Miller 1955).
    assert none.by_chance == pytest.approx(4 * 3 / 600, rel=0.1)


def test_p_counts_the_figure_itself_and_takes_rounding_for_nothing() -> None:
    assert permutation_p(3.0, [1, 2, 4, 3 - 1e-12]) == 3 / 5
    assert permutation_p(3.0, []) == 1
    constant = dependence([1, 1, 1], [1, 2, 3], permutations=9)
    assert (constant.nats, constant.p) == (0, 1)


def test_pairs_only() -> None:
    for first, second in (([], []), ([1], [1, 2])):
        with pytest.raises(InputError):
            mutual_information(first, second)


def test_rank_correlation_has_a_p_value() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=100)
    np.testing.assert_allclose(spearman_test(x, np.exp(x)), (1, 0), atol=1e-12)
    assert spearman_test(x, rng.normal(size=100))[1] > 0.01
    assert np.isnan(spearman_test(x, np.ones(100))).all()
