"""The Gaussian process against scikit-learn's, finite differences and its own definition."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import check_grad
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, Matern, WhiteKernel

from naopt.latent.distances import squared_distances
from naopt.latent.gaussian_process import GaussianProcess, Kernel


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
def test_distances_are_enough_to_predict(kernel: Kernel) -> None:
    groups, y = data()
    others = data(seed=1)[0]
    process = GaussianProcess(kernel).fit(groups, y)
    squares = [squared_distances(group, other) for group, other in zip(groups, others, strict=True)]
    np.testing.assert_allclose(process.predict_from(squares), process.predict(others), atol=1e-9)


@pytest.mark.parametrize("kernel", ["rbf", "matern"])
def test_slopes_are_derivatives(kernel: Kernel) -> None:
    groups, y = data()
    process = GaussianProcess(kernel).fit(groups, y)
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


def test_the_likelihood_is_maximised() -> None:
    """No small change of one parameter is more probable, where nothing but the fit says so."""
    groups, y = data(40)
    process = GaussianProcess(steps=200).fit(groups, y)
    assert process.parameters is not None
    best = posterior(groups, y, process.parameters)
    for index in range(len(process.parameters)):
        for step in (-0.1, 0.1):
            moved = process.parameters.copy()
            moved[index] += step
            assert posterior(groups, y, moved) < best


def posterior(groups: list[np.ndarray], y: np.ndarray, parameters: np.ndarray) -> float:
    """Log posterior of the parameters, written out."""
    count = len(groups)
    covariance = (np.exp(parameters[-1]) + 1e-6) * np.eye(len(y))
    for index, group in enumerate(groups):
        squares = ((group[:, None] - group[None]) ** 2).sum(axis=-1)
        squares /= np.median(squares[squares > 1e-9])
        covariance += np.exp(parameters[index]) * np.exp(-0.5 * squares / np.exp(2 * parameters[count + index]))
    _, determinant = np.linalg.slogdet(covariance)
    prior = [(-np.log(count), 1.5)] * count + [(0.0, 1.0)] * count + [(np.log(0.05), 1.5)]
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
