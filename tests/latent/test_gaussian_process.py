"""The Gaussian process against scikit-learn's, finite differences and its own definition."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import check_grad
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, Matern, WhiteKernel

from naopt.latent.distances import squared_distances
from naopt.latent.gaussian_process import GaussianProcess
from naopt.latent.kernels import Kernel


def data(rows: int = 20, seed: int = 0) -> tuple[list[np.ndarray], np.ndarray]:
    rng = np.random.default_rng(seed)
    groups = [rng.standard_normal((rows, 3)), rng.integers(2, size=(rows, 5)).astype(np.float64)]
    targets = np.sin(groups[0][:, 0]) + groups[1][:, 1] - 0.5
    return groups, (targets - targets.mean()) / targets.std()


@pytest.mark.parametrize("kernel", ["rbf", "matern"])
def test_one_group_is_scikit_learns(kernel: Kernel) -> None:
    (x, _), y = data()
    other = data(seed=1)[0][0]
    process = GaussianProcess(kernel).fit([x], y)
    assert process.parameters is not None
    weight, length, noise = np.exp(process.parameters)
    scale = np.sqrt(np.median(squared_distances(x, x)[squared_distances(x, x) > 1e-9]))
    shape = RBF(length * scale) if kernel == "rbf" else Matern(length * scale, nu=2.5)
    oracle = GaussianProcessRegressor(
        ConstantKernel(weight) * shape + WhiteKernel(noise + 1e-6), optimizer=None, alpha=0
    ).fit(x, y)
    mean, variance = process.predict([other])
    expected, deviation = oracle.predict(other, return_std=True)
    np.testing.assert_allclose(mean, expected, atol=1e-8)
    np.testing.assert_allclose(variance + noise + 1e-6, deviation**2, atol=1e-8)


@pytest.mark.parametrize("kernel", ["rbf", "matern"])
def test_a_kernel_of_several_groups_is_scikit_learns(kernel: Kernel) -> None:
    """Beside one of a single group; each column of the product is a group with a length scale of its own."""
    (x, beside), y = data()
    (other, other_beside), _ = data(seed=1)
    columns, others = ([part[:, [at]] for at in range(3)] for part in (x, other))
    process = GaussianProcess(kernel, product=range(1, 4)).fit([beside, *columns], y)
    assert process.parameters is not None
    assert len(process.parameters) == 2 + 4 + 1, "two weights, four lengths, and the noise"
    weights, lengths, noise = np.split(np.exp(process.parameters), [2, 6])
    scales = [np.median(found[found > 1e-9]) for found in (squared_distances(g, g) for g in (beside, *columns))]
    apart = lengths[1:] * np.sqrt(3 * np.array(scales[1:]))
    assert apart.max() > 1.5 * apart.min(), "the target depends on the first column only"
    alone = lengths[0] * np.sqrt(scales[0])
    one, several = (RBF(alone), RBF(apart)) if kernel == "rbf" else (Matern(alone, nu=2.5), Matern(apart, nu=2.5))
    covariance = weights[0] * one(beside) + weights[1] * several(x) + (noise + 1e-6) * np.eye(len(y))
    cross = weights[0] * one(other_beside, beside) + weights[1] * several(other, x)
    mean, variance = process.predict([other_beside, *others])
    np.testing.assert_allclose(mean, cross @ np.linalg.solve(covariance, y), atol=1e-8)
    expected = weights.sum() - np.einsum("nm,nm->n", cross, np.linalg.solve(covariance, cross.T).T)
    np.testing.assert_allclose(variance, expected, atol=1e-8)
    believing = process.believing([other_beside[:2], *(part[:2] for part in others)])
    np.testing.assert_allclose(believing.predict([other_beside, *others])[0], mean, atol=0.01)


PROCESSES = [
    GaussianProcess("rbf"),
    GaussianProcess("matern"),
    GaussianProcess("rbf", product=range(2)),
    GaussianProcess("matern", product=range(2)),
]


@pytest.mark.parametrize("process", PROCESSES)
def test_distances_are_enough_to_predict(process: GaussianProcess) -> None:
    groups, y = data()
    others = data(seed=1)[0]
    process = process.unfitted().fit(groups, y)
    squares = [squared_distances(group, other) for group, other in zip(groups, others, strict=True)]
    np.testing.assert_allclose(process.predict_from(squares), process.predict(others), atol=1e-9)


@pytest.mark.parametrize("process", PROCESSES)
def test_slopes_are_derivatives(process: GaussianProcess) -> None:
    groups, y = data()
    process = process.unfitted().fit(groups, y)
    at = [group[:1] + 0.3 for group in groups]
    mean, variance, of_mean, of_variance = process.slopes(at)
    np.testing.assert_allclose((mean, variance), process.predict(at))
    for which, slopes in ((0, of_mean), (1, of_variance)):
        for index in range(2):

            def value(x: np.ndarray, which: int = which, index: int = index) -> float:
                moved = [x[None] if other == index else group for other, group in enumerate(at)]
                return float(process.predict(moved)[which][0])

            def slope(x: np.ndarray, which: int = which, index: int = index) -> np.ndarray:
                moved = [x[None] if other == index else group for other, group in enumerate(at)]
                _, _, mean_slopes, variance_slopes = process.slopes(moved)
                found: np.ndarray = (variance_slopes if which else mean_slopes)[index][0]
                return found

            assert check_grad(value, slope, at[index][0]) < 1e-5
            assert np.abs(slopes[index]).max() > 1e-4


@pytest.mark.parametrize("shared", [1, 3])
def test_the_likelihood_is_maximised(shared: int) -> None:
    """No small change of one parameter is more probable, where nothing but the fit says so."""
    groups, y = data(40)
    if shared > 1:
        groups, y = [groups[1], *(groups[0][:, [at]] for at in range(shared))], y + 0.5 * data(40, seed=2)[1]
    process = GaussianProcess(steps=200, product=range(1, 1 + shared)).fit(groups, y)
    assert process.parameters is not None
    assert len(process.parameters) == 2 + len(groups) + 1
    best = posterior(groups, y, process.parameters)
    for index in range(len(process.parameters)):
        for step in (-0.1, 0.1):
            moved = process.parameters.copy()
            moved[index] += step
            assert posterior(groups, y, moved) < best


def posterior(groups: list[np.ndarray], y: np.ndarray, parameters: np.ndarray) -> float:
    """Log posterior of the parameters of two kernels, the second of all groups but the first, written out."""
    together = [0.0, 0.0]
    for index, group in enumerate(groups):
        squares = ((group[:, None] - group[None]) ** 2).sum(axis=-1)
        squares /= np.median(squares[squares > 1e-9]) * (len(groups) - 1 if index else 1)
        together[min(index, 1)] += squares / np.exp(2 * parameters[2 + index])
    covariance = (np.exp(parameters[-1]) + 1e-6) * np.eye(len(y))
    covariance += sum(np.exp(parameters[index]) * np.exp(-0.5 * together[index]) for index in range(2))
    _, determinant = np.linalg.slogdet(covariance)
    prior = [(-np.log(2), 1.5)] * 2 + [(0.0, 1.0)] * len(groups) + [(np.log(0.05), 1.5)]
    away = [(p - centre) / width for p, (centre, width) in zip(parameters, prior, strict=True)]
    return float(-0.5 * y @ np.linalg.solve(covariance, y) - 0.5 * determinant - 0.5 * np.square(away).sum())


def test_given_parameters_are_taken() -> None:
    groups, y = data()
    first = GaussianProcess().fit(groups, y)
    assert first.parameters is not None
    second = GaussianProcess().fit([group[:10] for group in groups], y[:10], first.parameters)
    assert second.noise == first.noise


def test_degenerate_data() -> None:
    x = np.zeros((3, 2))
    mean, variance = GaussianProcess().fit([x], np.array([1.0, -1.0, 0.0])).predict([x])
    assert np.isfinite(mean).all()
    assert (variance > 0).all()
    mean, _ = GaussianProcess().fit([x[:1]], np.zeros(1)).predict([x])
    np.testing.assert_allclose(mean, 0)


def test_a_prediction_needs_a_fit() -> None:
    with pytest.raises(RuntimeError, match="fit first"):
        GaussianProcess().predict([np.zeros((1, 1))])


def test_known_errors_are_scikit_learns_alpha() -> None:
    (x, _), y = data()
    other, errors = data(seed=1)[0][0], np.linspace(0.01, 0.5, len(y))
    process = GaussianProcess().fit([x], y, errors=errors)
    assert process.parameters is not None
    weight, length, noise = np.exp(process.parameters)
    scale = np.sqrt(np.median(squared_distances(x, x)[squared_distances(x, x) > 1e-9]))
    oracle = GaussianProcessRegressor(
        ConstantKernel(weight) * RBF(length * scale), optimizer=None, alpha=noise + 1e-6 + errors
    ).fit(x, y)
    np.testing.assert_allclose(process.predict([other])[0], oracle.predict(other), atol=1e-8)
    told = process.believing([other])
    assert told.own()[0][len(y) :] == pytest.approx(process.predict([other])[0])  # what is believed has no error
    assert (told.own()[1][: len(y)] > 0).all()


def test_parameters_are_the_likeliest_beside_known_errors() -> None:
    """The gradient that the optimiser is given is that of the loss: another noise is no better."""
    groups, y = data(40)
    errors = np.linspace(0.01, 0.3, len(y))
    rng = np.random.default_rng(5)
    noisy = y + np.sqrt(errors) * rng.standard_normal(len(y))
    least = [GaussianProcess(steps=steps).fit(groups, noisy, errors=errors).noise for steps in (30, 200)]
    assert least[0] == pytest.approx(least[1], rel=0.2)
    blind = GaussianProcess(steps=200).fit(groups, noisy)
    assert least[1] < blind.noise  # what is told to be error is not taken for noise once more


def test_what_is_a_datum_s_own_is_kept_and_what_is_error_is_not() -> None:
    """Against the joint normal distribution of values and measurements, written out."""
    (x, _), y = data(8)
    errors = np.array([0.0, 1e-9, 0.01, 0.1, 0.3, 1.0, 10.0, 1e6])
    process = GaussianProcess().fit([x], y, errors=errors)
    assert process.parameters is not None
    weight, length, noise = np.exp(process.parameters)
    squares = squared_distances(x, x)
    scale = np.median(squares[squares > 1e-9])
    values = weight * np.exp(-0.5 * squares / (scale * length**2)) + (noise + 1e-6) * np.eye(8)
    gain = values @ np.linalg.inv(values + np.diag(errors))
    mean, variance = process.own()
    np.testing.assert_allclose(mean, gain @ y, atol=1e-6)
    np.testing.assert_allclose(variance, np.diag(values - gain @ values), atol=1e-6)
    assert mean[0] == pytest.approx(y[0])
    exact = GaussianProcess().fit([x], y)
    assert not exact.knows_errors
    np.testing.assert_array_equal(exact.own(), (y, np.zeros(8)))
