"""Figures of a ranking, against scipy and brute force."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from naopt.ranking.result import RankedChild, ranking_figures


def child(shared: float | None, standalone: float | None) -> RankedChild:
    return RankedChild("a", shared, standalone)


@pytest.mark.parametrize(("shared_goal", "goal"), [("max", "max"), ("min", "min"), ("max", "min"), ("min", "max")])
def test_figures_against_scipy_and_brute_force(shared_goal: Any, goal: Any) -> None:
    rng = np.random.default_rng(4)
    x, y = rng.integers(0, 30, 40).astype(float), rng.integers(0, 30, 40).astype(float)
    pick, other = float(y[3]), 4.5
    random = [*(child(a, b) for a, b in zip(x, y, strict=True)), child(None, 7.0), child(3.0, None)]
    found = ranking_figures(random, [child(1.0, pick), child(1.0, other), child(1.0, None)], shared_goal, goal)
    sign = 1 if shared_goal == goal else -1
    assert found.compared == 40
    assert found.kendall_tau is not None
    assert found.kendall_tau.value == pytest.approx(sign * stats.kendalltau(x, y).statistic)
    assert found.kendall_tau.ci95[0] < found.kendall_tau.value < found.kendall_tau.ci95[1]
    assert found.spearman == pytest.approx(sign * stats.spearmanr(x, y).statistic)

    def percentile(value: float) -> float:
        worse = [*y, 7.0] < np.array(value) if goal == "max" else [*y, 7.0] > np.array(value)
        return 100 * float(np.mean(worse + 0.5 * (np.array([*y, 7.0]) == value)))

    assert found.pick == pick
    assert found.pick_percentile is not None
    assert found.top_percentile is not None
    assert found.pick_percentile.value == pytest.approx(percentile(pick))
    assert found.pick_percentile.ci95[0] < percentile(pick) < found.pick_percentile.ci95[1]
    assert found.top_percentile.value == pytest.approx((percentile(pick) + percentile(other)) / 2)
    assert found.top_mean == pytest.approx((pick + other) / 2)
    assert found.random_best == (max if goal == "max" else min)([*y, 7.0])
    assert found.random_mean == pytest.approx(np.mean([*y, 7.0]))
    assert found.random_std == pytest.approx(np.std([*y, 7.0], ddof=1))


def test_overlap_of_the_top() -> None:
    random = [child(float(score), float(score if score < 27 else 29 - score)) for score in range(30)]
    found = ranking_figures(random, [child(0.0, 1.0)], "max", "max")
    # By shared weights 25 to 29 are the best; 25 and 26 are among the best five indeed, none of the best three.
    assert [(o.k, o.share) for o in found.overlap] == [(3, 0.0), (5, 0.4)]
    assert [o.by_chance for o in found.overlap] == pytest.approx([3 / 30, 5 / 30])


def test_what_cannot_be_told_is_none() -> None:
    found = ranking_figures([child(1.0, None), child(None, 2.0)], [child(1.0, None)], "max", "max")
    assert (found.compared, found.kendall_tau, found.spearman, found.overlap) == (0, None, None, ())
    assert (found.pick, found.pick_percentile, found.top_mean, found.top_percentile) == (None, None, None, None)
    assert (found.random_best, found.random_mean, found.random_std) == (2.0, 2.0, None)
    nothing = ranking_figures([child(1.0, None)], [child(1.0, 2.0)], "max", "max")
    assert (nothing.pick, nothing.pick_percentile, nothing.random_mean) == (2.0, None, None)
