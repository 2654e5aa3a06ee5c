"""Expected improvements of hypervolume, against samples and against the closed form of one objective."""

from __future__ import annotations

import numpy as np
import pytest

from naopt.latent.acquisition import expected_improvement
from naopt.latent.enlargement import Exact, Normal, log_enlargement
from naopt.latent.targets import Targets
from naopt.metrics import hypervolume

RNG = np.random.default_rng(0)
POOL = np.sort(RNG.normal(size=12) ** 3)


@pytest.mark.parametrize("kind", ["rank", "standard"])
def test_what_is_expected_above_a_level_is_the_mean_of_samples(kind: str) -> None:
    targets = Targets.fit(POOL, kind)  # type: ignore[arg-type]
    mean, deviation = np.array([-1.0, 0.2, 1.5]), np.array([0.3, 1.0, 0.1])
    levels = np.array([POOL[0] - 1, POOL[3], (POOL[5] + POOL[6]) / 2, POOL[-1], POOL[-1] + 0.5])
    drawn = targets.inverse((mean[:, None] + deviation[:, None] * RNG.standard_normal((3, 400_000))).ravel())
    sampled = np.maximum(drawn.reshape(3, 1, -1) - levels[:, None], 0).mean(axis=-1)
    np.testing.assert_allclose(Normal(mean, deviation, targets).excess(levels), sampled, atol=0.01, rtol=0.02)


def test_one_objective_is_the_expected_improvement() -> None:
    scores = np.linspace(-1, 1, 9)
    targets = Targets.fit(scores, "standard")
    mean, deviation = np.array([-0.5, 0.9, 1.4]), np.array([0.5, 0.2, 0.7])
    spread = scores.std()
    found = log_enlargement([Normal(mean, deviation, targets)], scores[:, None], np.array([-2.0]))
    expected = expected_improvement(mean * spread, deviation * spread, 1.0)
    np.testing.assert_allclose(np.exp(found), expected, rtol=1e-9)


@pytest.mark.parametrize("objectives", [2, 3, 4])
def test_known_objectives_enlarge_by_what_they_enlarge(objectives: int) -> None:
    front, candidates = RNG.random((8, objectives)), RNG.random((6, objectives)) * 1.3
    reference = np.full(objectives, -0.1)
    found = log_enlargement([Exact(column) for column in candidates.T], front, reference)
    before = hypervolume(front, reference)
    gains = [hypervolume(np.concatenate([front, one[None]]), reference) - before for one in candidates]
    np.testing.assert_allclose(np.exp(found), gains, atol=1e-12)


def test_of_an_uncertain_and_a_known_objective_it_is_the_mean_of_samples() -> None:
    targets = Targets.fit(POOL, "rank")
    front = np.stack([POOL[[4, 7, 10]], np.array([3.0, 2.0, 1.0])], axis=1)
    reference = np.array([POOL[0] - 0.5, 0.0])
    mean, deviation, cost = np.array([0.5, 1.0]), np.array([0.6, 0.4]), np.array([2.5, 0.5])
    found = np.exp(log_enlargement([Normal(mean, deviation, targets), Exact(cost)], front, reference))
    before = hypervolume(front, reference)
    for index in range(2):
        drawn = targets.inverse(mean[index] + deviation[index] * RNG.standard_normal(4000))
        gains = [hypervolume(np.vstack([front, [y, cost[index]]]), reference) - before for y in drawn]
        assert found[index] == pytest.approx(np.mean(gains), rel=0.1)
