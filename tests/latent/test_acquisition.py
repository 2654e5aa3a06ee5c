"""Acquisition values against quadrature, Monte Carlo and finite differences."""

from __future__ import annotations

from typing import cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm

from naopt.latent.acquisition import (
    Acquisition,
    acquire,
    expected_improvement,
    expected_improvement_slopes,
    independent_thompson_sampling,
    log_expected_improvement,
    probability_of_improvement,
    upper_confidence_bound,
)

MEANS = np.array([-1.0, 0.0, 0.3, 1.0, 4.0])
DEVIATIONS = np.array([0.5, 1.0, 0.2, 2.0, 0.7])


@pytest.mark.parametrize("best", [-0.5, 0.3, 2.0])
def test_improvement_is_the_integral(best: float) -> None:
    expected = [
        quad(lambda y, m=m, s=s: (y - best) * norm.pdf(y, m, s), best, max(best, m) + 12 * s, points=[max(best, m)])[0]
        for m, s in zip(MEANS, DEVIATIONS, strict=True)
    ]
    np.testing.assert_allclose(expected_improvement(MEANS, DEVIATIONS, best), expected, atol=1e-8)
    np.testing.assert_allclose(np.exp(log_expected_improvement(MEANS, DEVIATIONS, best)), expected, atol=1e-8)


def test_probability_is_a_frequency() -> None:
    draws = np.random.default_rng(0).normal(MEANS, DEVIATIONS, (200_000, 5))
    np.testing.assert_allclose(probability_of_improvement(MEANS, DEVIATIONS, 0.4), (draws > 0.4).mean(0), atol=0.005)


def test_slopes_are_finite_differences() -> None:
    step = 1e-6
    of_mean, of_deviation = expected_improvement_slopes(MEANS, DEVIATIONS, 0.4)
    up, down = (expected_improvement(MEANS + s, DEVIATIONS, 0.4) for s in (step, -step))
    np.testing.assert_allclose(of_mean, (up - down) / (2 * step), atol=1e-8)
    up, down = (expected_improvement(MEANS, DEVIATIONS + s, 0.4) for s in (step, -step))
    np.testing.assert_allclose(of_deviation, (up - down) / (2 * step), atol=1e-8)


def test_certain_predictions() -> None:
    means, certain = np.array([1.0, 2.0, 3.0]), np.zeros(3)
    assert expected_improvement(means, certain, 2.0).tolist() == [0, 0, 1]
    assert log_expected_improvement(means, certain, 2.0).tolist() == [-np.inf, -np.inf, 0]
    assert probability_of_improvement(means, certain, 2.0).tolist() == [0, 0.5, 1]
    of_mean, of_deviation = expected_improvement_slopes(means, certain, 2.0)
    assert of_mean.tolist() == [0, 0.5, 1]
    np.testing.assert_allclose(of_deviation, [0, norm.pdf(0), 0])


def test_the_logarithm_orders_what_underflows() -> None:
    z = -np.array([1e200, 1e12, 2e4, 1e4, 1e3, 100, 40, 10, 1.0001, 1, 0.9999, 0])
    hopeless = expected_improvement(z, np.ones(len(z)), 0.0)
    assert hopeless[5] == 0
    logarithms = log_expected_improvement(z, np.ones(len(z)), 0.0)
    assert np.isfinite(logarithms).all()
    assert (np.diff(logarithms) > 0).all()
    np.testing.assert_allclose(logarithms[7:], np.log(hopeless[7:]), rtol=1e-9)
    z = z[1:6]
    asymptotic = -(z**2) / 2 - np.log(np.sqrt(2 * np.pi)) - 2 * np.log(-z) + np.log1p(-3 / z**2)
    np.testing.assert_allclose(logarithms[1:6], asymptotic, rtol=1e-9)


@given(st.floats(-1e6, 1e6), st.floats(0, 1e6), st.floats(-1e6, 1e6))
def test_improvement_is_at_least_what_the_mean_gains(mean: float, deviation: float, best: float) -> None:
    found = expected_improvement(np.array([mean]), np.array([deviation]), best)[0]
    assert found >= 0
    assert found >= (mean - best) * (1 - 1e-9) - 1e-9


def test_upper_confidence_bound() -> None:
    assert upper_confidence_bound(np.array([1.0, 2.0]), np.array([3.0, 0.5]), 2.0).tolist() == [7.0, 3.0]


def test_thompson_draws_are_independent_and_of_the_prediction() -> None:
    rng = np.random.default_rng(0)
    draws = np.stack([independent_thompson_sampling(MEANS, DEVIATIONS, rng) for _ in range(20_000)])
    np.testing.assert_allclose(draws.mean(0), MEANS, atol=0.05)
    np.testing.assert_allclose(draws.std(0), DEVIATIONS, rtol=0.03)
    np.testing.assert_allclose(np.corrcoef(draws.T), np.eye(5), atol=0.03)


def test_acquisitions_by_name() -> None:
    def order(kind: Acquisition) -> list[int]:
        return np.argsort(-acquire(kind, MEANS, DEVIATIONS, 0.4, 2.0, np.random.default_rng(1))).tolist()  # type: ignore[no-any-return]

    drawn = independent_thompson_sampling(MEANS, DEVIATIONS, np.random.default_rng(1))
    for kind, value in {
        "mean": MEANS,
        "ucb": MEANS + 2 * DEVIATIONS,
        "ei": expected_improvement(MEANS, DEVIATIONS, 0.4),
        "pi": probability_of_improvement(MEANS, DEVIATIONS, 0.4),
        "thompson": drawn,
    }.items():
        assert order(cast("Acquisition", kind)) == np.argsort(-value).tolist(), kind
