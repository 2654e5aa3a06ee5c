"""Prior values on a scale of their own, and what a process makes of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm, rankdata

from naopt.latent.encoding import encoded
from naopt.latent.gaussian_process import GaussianProcess
from naopt.latent.priors import Priors
from naopt.spaces import Architecture, NASBench201Space
from tests.latent.test_embedding_model import drawn, fitted, worth
from tests.latent.test_embedding_model import model as plain_model

NB201 = NASBench201Space()


class Known:
    """Priors by name, and for which architectures they were asked."""

    def __init__(self, **values: Callable[[Architecture], float]) -> None:
        self._values, self.asked = values, list[Architecture]()

    @property
    def metrics(self) -> Collection[str]:
        return self._values.keys()

    def of(self, architectures: Sequence[Architecture]) -> Mapping[str, Any]:
        self.asked += architectures
        return {name: np.array([float(f(a)) for a in architectures]) for name, f in self._values.items()}


def total(architecture: Architecture) -> float:
    return float(np.dot(architecture.tokens, [1.0, 2.0, 0.5, 3.0, 0.25, 1.5]))


def described(architectures: Sequence[Architecture]) -> np.ndarray:
    return encoded(NB201, architectures, ("tokens",))["tokens"]


def priors(known: Known, **options: Any) -> Priors:
    return Priors(NB201, known, described, **options)


def test_a_value_is_the_normal_quantile_of_its_rank_among_random_architectures() -> None:
    found = priors(Known(total=total))
    values = np.array([total(architecture) for architecture in found.drawn])
    expected = norm.ppf((rankdata(values) - 0.5) / len(values)).clip(-2.5, 2.5)
    np.testing.assert_allclose(found(found.drawn)[:, 0], expected, atol=1e-12)
    others = drawn(NB201, 50, seed=1)
    order = np.argsort([total(architecture) for architecture in others], kind="stable")
    assert (np.diff(found(others)[order, 0]) >= 0).all()


def test_a_rising_map_of_values_changes_nothing_and_what_is_not_known_is_the_mean() -> None:
    some = priors(Known(total=total)).drawn[:40]
    plain, mapped = (priors(Known(a=f)) for f in (total, lambda a: np.exp(total(a) / 3) - 7))
    np.testing.assert_allclose(plain(some), mapped(some), atol=1e-12)
    missing = priors(Known(a=lambda a: np.nan if a == some[0] else total(a), b=lambda _: np.nan))(some)
    assert missing[0].tolist() == [0.0, 0.0]
    assert missing[1:, 0].any()
    assert not missing[:, 1].any()
    huge = priors(Known(a=lambda a: 1e300 if a == some[0] else total(a)))
    assert abs(huge(some)).max() == 2.5


@pytest.mark.parametrize("slow", [False, True])
def test_the_bits_of_a_value_do_not_depend_on_the_batch(slow: bool) -> None:
    some = drawn(NB201, 40, seed=2)
    whole, single = (priors(Known(total=total), slow=slow) for _ in range(2))
    for each in (whole, single):
        each.begin(some[:10])
    np.testing.assert_array_equal(whole(some), np.concatenate([single([a]) for a in reversed(some)])[::-1])


def test_slow_priors_are_guessed_until_they_are_looked_at() -> None:
    known = Known(total=total)
    found, some = priors(known, slow=True), drawn(NB201, 200, seed=3)
    true = priors(Known(total=total))(some)[:, 0]
    guessed = found(some)[:, 0]
    assert set(known.asked) == set(found.drawn)
    assert np.corrcoef(guessed, true)[0, 1] > 0.9
    found.look(some[:5])
    assert len(set(known.asked) - set(found.drawn)) <= 5
    looked = found(some)[:, 0]
    scale = found._known(some[:5])[:, 0]
    np.testing.assert_array_equal(looked[:5], scale)
    np.testing.assert_array_equal(looked[5:], guessed[5:])
    found.begin([])
    np.testing.assert_array_equal(found(some)[:, 0], guessed)


def test_a_linear_kernel_is_bayesian_linear_regression() -> None:
    rng = np.random.default_rng(0)
    x, other = rng.standard_normal((12, 1)), rng.standard_normal((5, 1))
    y = 2 * x[:, 0] + 0.1 * rng.standard_normal(12)
    process = GaussianProcess(linear=1).fit([np.zeros((12, 1)), x], y, np.log([1e-12, 0.7, 1.0, 1.0, 0.01]))
    precision = (x * x).sum() / (0.01 + 1e-6) + 1 / 0.7
    slope = (x[:, 0] @ y) / (0.01 + 1e-6) / precision
    mean, variance = process.predict([np.zeros((5, 1)), other])
    np.testing.assert_allclose(mean, slope * other[:, 0], rtol=1e-6)
    np.testing.assert_allclose(variance, other[:, 0] ** 2 / precision, rtol=1e-5)
    squares = [np.zeros((12, 5))]
    np.testing.assert_allclose(process.predict_from(squares, [other]), (mean, variance), atol=1e-12)
    at = other[:1]
    _, _, of_mean, of_variance = process.slopes([np.zeros((1, 1)), at])
    assert of_mean[1][0, 0] == pytest.approx(slope, rel=1e-6)
    assert of_variance[1][0, 0] == pytest.approx(2 * at[0, 0] / precision, rel=1e-5)


def test_a_line_goes_on_where_a_kernel_goes_back_and_noise_weighs_little() -> None:
    rng = np.random.default_rng(0)
    rows, noise = rng.standard_normal((40, 2)), rng.standard_normal((40, 1))
    for sign in (1, -1):
        line = sign * np.linspace(-1, 1, 40)[:, None]
        groups = [rows, line, noise, line, noise]
        process = GaussianProcess(linear=2).fit(groups, np.linspace(-1.6, 1.6, 40))
        shares = process.shares()
        assert shares[2] + shares[4] < 0.2 * (shares[1] + shares[3])
        ahead = [np.zeros((1, 2)), *(np.array([[value]]) for value in (3.0 * sign, 0.0, 3.0 * sign, 0.0))]
        assert process.predict(ahead)[0][0] > 2.5


def test_a_model_sees_priors_and_ascends_with_their_slope() -> None:
    some = drawn(NB201, 40)
    target = worth(some)
    known = Known(good=lambda a: worth([a])[0], bad=lambda a: hash(a.tokens) % 1000)
    model = plain_model()
    model.priors = Priors(NB201, known, model.pretrained.embedding.encode)
    log = model.fit(some[:30], target[:30])
    alone, _, _ = fitted()
    assert log["prior_weight/good"] > 3 * log["prior_weight/bad"]
    assert np.corrcoef(model.predict(some[30:]), target[30:])[0, 1] > 0.97
    assert np.corrcoef(alone.predict(some[30:]), target[30:])[0, 1] < 0.97
    points = model.encode(some[30:])
    assert model.decode(points) == alone.decode(points[:, :-2])
    direction = model.uphill(points)
    assert not direction[:, -2:].any()
    np.testing.assert_allclose(np.linalg.norm(direction, axis=1), 1)
    gradient = model.slopes(points)[0]
    moved = points.copy()
    moved[:, :-2] += 1e-5 * direction[:, :-2]
    moved[:, -2:] += 1e-5 * direction[:, :-2] @ model.priors.slopes
    found = (model.moments(moved)[0] - model.moments(points)[0]) / 1e-5
    np.testing.assert_allclose(found, (gradient * direction).sum(axis=1), rtol=1e-3, atol=1e-5)
