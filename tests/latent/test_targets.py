"""Targets stay usable whatever the pool looks like."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm, rankdata, yeojohnson, yeojohnson_llf

from naopt.latent.targets import Normalisation, Targets

KINDS: list[Normalisation] = ["yeo-johnson", "rank", "min-max", "standard"]
pools = st.lists(st.floats(-1e6, 1e6, allow_subnormal=False), min_size=1, max_size=40)


@pytest.mark.parametrize("kind", KINDS)
@given(pool=pools)
def test_targets_are_finite_and_in_the_order_of_the_scores(kind: Normalisation, pool: list[float]) -> None:
    scores = np.array(pool)
    targets = Targets.fit(scores, kind).transform(scores)
    assert np.isfinite(targets).all()
    order = np.argsort(scores, kind="stable")
    assert (np.diff(targets[order]) >= 0).all()
    assert ((targets[:, None] == targets[None, :]) | (scores[:, None] != scores[None, :])).all()


@pytest.mark.parametrize("kind", KINDS)
@given(pool=st.lists(st.integers(-1000, 1000), min_size=2, max_size=40, unique=True))
def test_inverse_undoes_transform(kind: Normalisation, pool: list[int]) -> None:
    scores = np.array(pool, dtype=np.float64)
    fitted = Targets.fit(scores, kind)
    around = np.concatenate([scores, scores + 0.25, [scores.min() - 50, scores.max() + 50]])
    assert fitted.inverse(fitted.transform(around)) == pytest.approx(around, abs=1e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("pool", [[97.0], [97.0, 97.0, 97.0]])
def test_a_constant_pool_has_one_target_in_the_middle(kind: Normalisation, pool: list[float]) -> None:
    scores = np.array(pool)
    fitted = Targets.fit(scores, kind)
    middle = 0.5 if kind == "min-max" else 0.0
    assert fitted.transform(scores).tolist() == [middle] * len(pool)
    assert fitted.inverse(np.array([-3.0, middle, 3.0])).tolist() == [97.0] * 3


def test_two_architectures_are_told_apart() -> None:
    scores = np.array([96.0, 97.0])
    for kind in KINDS:
        low, high = Targets.fit(scores, kind).transform(scores)
        assert low < high


def test_the_power_is_the_likeliest_of_scipys() -> None:
    rng = np.random.default_rng(0)
    for scores in (rng.normal(size=50), -rng.exponential(size=50), rng.uniform(size=50) ** 2):
        low, middle, high = np.quantile(scores, [0.25, 0.5, 0.75])
        plain = (scores - middle) / (high - low) * 1.349
        powers = np.linspace(0, 2, 41)
        power = powers[np.argmax([yeojohnson_llf(power, plain) for power in powers])]
        expected = yeojohnson(plain, power)
        expected = (expected - expected.mean()) / expected.std()
        np.testing.assert_allclose(Targets.fit(scores, "yeo-johnson").transform(scores), expected, atol=1e-9)


@pytest.mark.parametrize("outlier", [10.0, -1e3, -1e9, -1e200])
def test_an_outlier_hardly_squeezes_powers(outlier: float) -> None:
    targets = Targets.fit(np.append(np.linspace(97, 98, 20), outlier), "yeo-johnson")
    assert np.ptp(targets.transform(np.linspace(97, 98, 20))) > 1.8
    assert targets.targets[0] > -5


def test_the_best_is_not_pulled_away_by_powers() -> None:
    """Ten lie within a tenth of the best, the others far below: normal scores part these, powers do not."""
    scores = np.concatenate([np.linspace(60, 90, 10), np.linspace(93, 93.1, 10)])
    rank, power = (np.ptp(Targets.fit(scores, kind).transform(scores)[10:]) for kind in ("rank", "yeo-johnson"))
    assert rank > 1.5 > 0.1 > power


def test_an_outlier_does_not_squeeze_rank_targets() -> None:
    scores = np.append(np.linspace(97, 98, 20), 10.0)
    rank = Targets.fit(scores, "rank").transform(scores)
    assert np.ptp(rank[:20]) > 2.5
    assert rank[20] == rank.min() > -2.5
    assert np.ptp(Targets.fit(scores, "min-max").transform(scores)[:20]) < 0.02


@pytest.mark.parametrize("pool", [[], [1.0, np.nan], [np.inf]])
def test_scores_must_be_there_and_finite(pool: list[float]) -> None:
    with pytest.raises(ValueError, match="at least one score, all finite"):
        Targets.fit(np.array(pool), "rank")


@given(pool=st.lists(st.integers(0, 8), min_size=1, max_size=30))
def test_rank_targets_are_the_normal_quantiles_of_mid_ranks(pool: list[int]) -> None:
    scores = np.array(pool, dtype=np.float64)
    expected = norm.ppf((rankdata(scores) - 0.5) / len(scores))
    assert Targets.fit(scores, "rank").transform(scores).tolist() == expected.tolist()


@pytest.mark.parametrize("kind", ["rank", "yeo-johnson", "min-max", "standard"])
def test_errors_become_those_of_targets(kind: Normalisation) -> None:
    """A line is what it is; a power is as steep as two scores are apart."""
    scores = np.random.default_rng(0).normal(90, 2, 50)
    targets = Targets.fit(scores, kind)
    found = targets.variances(scores, np.full(50, 0.5))
    assert (found > 0).all()
    if kind in ("min-max", "standard"):
        span = np.ptp(scores) if kind == "min-max" else scores.std()
        np.testing.assert_allclose(found, (0.5 / span) ** 2, rtol=1e-9)
    np.testing.assert_array_equal(targets.variances(scores, np.zeros(50)), 0)
