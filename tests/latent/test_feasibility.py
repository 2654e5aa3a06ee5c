"""What failures say about architectures that were not tried."""

from __future__ import annotations

import numpy as np
import pytest

from naopt.latent.feasibility import FeasibilityModel

RNG = np.random.default_rng(0)
POINTS = RNG.standard_normal((400, 4))
LIMIT = 0.3


def groups(points: np.ndarray) -> list[np.ndarray]:
    return [points[:, :2], points[:, 2:]]


def allowed(points: np.ndarray) -> np.ndarray:
    return np.asarray(points[:, :2].sum(axis=1) < LIMIT)


def test_failures_that_repeat_by_structure_are_foreseen() -> None:
    some, others = POINTS[:40], POINTS[40:]
    model = FeasibilityModel(groups(some), allowed(some))
    assert model.concludes
    probability = np.exp(model.log_probability(groups(others)))
    assert ((probability > 0.5) == allowed(others)).mean() > 0.9
    assert probability[allowed(others)].mean() > 0.8
    assert probability[~allowed(others)].mean() < 0.2


def test_failures_beside_crashes_that_come_at_random_are_foreseen_too() -> None:
    some, others = POINTS[:80], POINTS[80:]
    model = FeasibilityModel(groups(some), allowed(some) & (np.random.default_rng(1).random(80) > 0.2))
    probability = np.exp(model.log_probability(groups(others)))
    assert probability[allowed(others)].mean() > 2.5 * probability[~allowed(others)].mean()


def test_of_failures_that_come_at_random_nothing_is_concluded() -> None:
    concluded = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        model = FeasibilityModel(groups(rng.standard_normal((30, 4))), rng.random(30) > 0.25)
        concluded += model.concludes
        if not model.concludes:
            assert (model.log_probability(groups(POINTS[:5])) == 0).all()
            assert model.foreseen == -np.inf
    assert concluded <= 2


@pytest.mark.parametrize("feasible", [True, False])
def test_outcomes_of_one_kind_say_nothing(feasible: bool) -> None:
    model = FeasibilityModel(groups(POINTS[:6]), np.full(6, feasible))
    assert not model.concludes
    assert model.log_probability(groups(POINTS)).tolist() == [0.0] * len(POINTS)


def test_what_is_foreseen_is_the_probability_of_each_outcome_by_the_others() -> None:
    """The process is told all but one outcome, with the same parameters, scale and calibration."""
    from scipy.stats import norm

    from naopt.latent.gaussian_process import GaussianProcess

    some = POINTS[:25]
    signs = np.where(allowed(some), 1.0, -1.0)
    model = FeasibilityModel(groups(some), allowed(some))
    assert model.concludes
    targets, total = (signs - signs.mean()) / signs.std(), 0.0
    for row in range(25):
        rest = np.delete(np.arange(25), row)
        process = GaussianProcess()
        process.fit(groups(some), targets, model.process.parameters)  # for the scales of all data
        scales = process._scales
        process.fit(groups(some[rest]), targets[rest], model.process.parameters)
        change = np.log(np.array(scales) / np.array(process._scales)) / 2
        parameters = np.array(model.process.parameters)
        parameters[2:4] += change
        process.fit(groups(some[rest]), targets[rest], parameters)
        mean, variance = process.predict(groups(some[[row]]))
        spread = np.sqrt(1 + model.slope**2 * (variance[0] + process.noise + 1e-6))
        total += float(norm.logcdf(signs[row] * (model.slope * mean[0] + model.offset) / spread))
    assert model.foreseen == pytest.approx(total, rel=1e-4)
