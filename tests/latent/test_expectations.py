"""What noisy measurements let one expect, against what was true."""

from __future__ import annotations

import numpy as np
import pytest

from naopt.latent import expectations as module
from naopt.latent.expectations import expectations
from naopt.spaces import NASBench201Space

SPACE = NASBench201Space()


def drawn(count: int, seed: int = 0) -> tuple[list, np.ndarray]:  # type: ignore[type-arg]
    """Architectures and what they are worth: convolutions, and a little of their own."""
    rng = np.random.default_rng(seed)
    found = list(dict.fromkeys(SPACE.sample(rng) for _ in range(2 * count)))[:count]
    tokens = np.array([architecture.tokens for architecture in found])
    return found, 80 + (tokens == 3).sum(1) + 0.5 * (tokens == 2).sum(1) + 0.1 * rng.standard_normal(len(found))


def test_they_are_nearer_to_the_truth_than_measurements_and_know_how_near() -> None:
    architectures, true = drawn(120)
    measured = true + np.random.default_rng(1).standard_normal(120)
    found = expectations(SPACE, architectures, measured, np.ones(120))
    assert np.abs(found.mean - true).mean() < 0.7 * np.abs(measured - true).mean()
    covered = (np.abs(found.mean - true) <= 1.96 * found.deviation).mean()
    assert covered >= 0.85
    assert true[int(found.mean.argmax())] >= true[int(measured.argmax())]


def test_without_errors_they_are_what_was_measured() -> None:
    architectures, true = drawn(30)
    found = expectations(SPACE, architectures, true, np.zeros(30))
    np.testing.assert_allclose(found.mean, true, rtol=1e-9)
    np.testing.assert_allclose(found.deviation, 0, atol=1e-9)
    assert found.as_good_as(int(true.argmax())).sum() == 1
    few = expectations(SPACE, architectures[:2], true[:2], np.ones(2))
    np.testing.assert_array_equal(few.mean, true[:2])


def test_equal_measurements_are_level() -> None:
    architectures, _ = drawn(10)
    found = expectations(SPACE, architectures, np.full(10, 75.6), np.full(10, 4.5))
    np.testing.assert_allclose(found.mean, 75.6)
    assert found.as_good_as(0).all()


def test_of_very_many_the_rest_is_what_it_was_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    architectures, true = drawn(60)
    measured = true + np.random.default_rng(1).standard_normal(60)
    whole = expectations(SPACE, architectures, measured, np.ones(60))
    monkeypatch.setattr(module, "_MOST_FITTED", 40)
    fitted_to_some = expectations(SPACE, architectures, measured, np.ones(60))
    assert np.corrcoef(whole.mean, fitted_to_some.mean)[0, 1] > 0.95
    monkeypatch.setattr(module, "_MOST", 50)
    worst = np.argsort(-measured)[50:]
    np.testing.assert_array_equal(
        expectations(SPACE, architectures, measured, np.ones(60)).mean[worst], measured[worst]
    )


def test_an_error_beyond_all_bounds_says_nothing_of_that_one_alone() -> None:
    space, rng = NASBench201Space(), np.random.default_rng(0)
    architectures = list(dict.fromkeys(space.sample(rng) for _ in range(20)))
    scores = rng.normal(size=len(architectures))
    errors = np.where(np.arange(len(scores)) == 3, 1e300, 0.1)
    found = expectations(space, architectures, scores, errors)
    assert np.isfinite(found.mean).all()
    assert np.isfinite(found.deviation).all()
    assert found.deviation.argmax() == 3
    assert found.deviation[3] < 5 * scores.std()
    assert np.abs(np.delete(found.mean - scores, 3)).max() < 0.3
