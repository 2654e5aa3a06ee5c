import math

import numpy as np
import pytest
from scipy import stats

from naopt.errors import InputError
from naopt.metrics import bootstrap_interval, paired_summary, summarise


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
    assert 1 <= summary.ci95[0] < 3 < summary.ci95[1] <= 6


def test_a_single_trial_has_no_spread() -> None:
    summary = summarise([2.5])
    assert (summary.mean, summary.std, summary.ci95) == (2.5, 0.0, (2.5, 2.5))


def test_pairs_are_compared_trial_by_trial() -> None:
    pair = paired_summary([3.0, 5.0, 5.0, 1.0], [1.0, 2.0, 5.0, 2.0])
    assert (pair.larger, pair.equal, pair.smaller) == (2, 1, 1)
    assert pair.difference.mean == 1.0


def test_bad_trials_are_refused() -> None:
    for values in ([], [1.0, math.nan], [[1.0]]):
        with pytest.raises(InputError, match="at least one finite"):
            summarise(values)
    with pytest.raises(InputError, match="equally many"):
        paired_summary([1.0], [1.0, 2.0])
