"""The batched ensemble against perceptrons one by one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from naopt.latent.mlp_ensemble import FittedEnsemble, MLPEnsemble


def data() -> tuple[np.ndarray, np.ndarray]:
    rows = np.random.default_rng(0).integers(2, size=(60, 6)).astype(np.float64)
    return rows, rows @ np.array([1.0, -2.0, 0.5, 0.0, 3.0, -1.0]) + rows[:, 0] * rows[:, 1]


def alone(fitted: FittedEnsemble, member: int) -> nn.Sequential:
    """One member as a stack of ordinary layers, in double precision."""
    layers: list[nn.Module] = []
    for weight, bias in zip(fitted.weights[::2], fitted.weights[1::2], strict=True):
        linear = nn.Linear(*weight.shape[1:]).double()
        linear.load_state_dict({"weight": weight[member].T.double(), "bias": bias[member, 0].double()})
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def test_predictions_are_those_of_single_perceptrons() -> None:
    rows, targets = data()
    fitted = MLPEnsemble(members=3, layers=2, width=7, epochs=5).fit(rows, targets, 0)
    predicted = fitted.predict(rows)
    assert predicted.shape == (3, 60)
    for member in range(3):
        expected = alone(fitted, member)(torch.from_numpy(rows)).squeeze(-1).detach().numpy()
        np.testing.assert_allclose(predicted[member], expected, atol=1e-5)


@pytest.mark.parametrize("loss", ["mae", "mse"])
def test_one_step_is_adams_on_each_member_alone(loss: str) -> None:
    """Adam's first step moves every weight by the learning rate, against the sign of its own gradient."""
    rows, targets = data()
    untrained, trained = (
        MLPEnsemble(2, 1, 5, loss, epochs, 60, 0.01).fit(rows, targets, 1)  # type: ignore[arg-type]
        for epochs in (0, 1)
    )
    for member in range(2):
        network = alone(untrained, member)
        error = network(torch.from_numpy(rows)).squeeze(-1) - torch.from_numpy(targets)
        (error.abs() if loss == "mae" else error**2).mean().backward()
        for at, parameter in enumerate(network.parameters()):
            before, after = (fitted.weights[at][member].double().squeeze(0) for fitted in (untrained, trained))
            gradient = parameter.grad
            assert gradient is not None
            gradient = (gradient.mT if gradient.ndim > 1 else gradient).reshape(before.shape)
            sure = gradient.abs() > 1e-4
            np.testing.assert_allclose((after - before)[sure], -0.01 * gradient.sign()[sure], rtol=1e-3)


def test_the_published_ensemble_learns() -> None:
    rows, targets = data()
    predicted = MLPEnsemble().fit(rows, targets, 0).predict(rows)
    assert np.abs(predicted.mean(axis=0) - targets).mean() < 0.2 * np.abs(targets - np.median(targets)).mean()
    assert predicted.std(axis=0).min() > 0


def test_fits_are_functions_of_rows_and_seed() -> None:
    rows, targets = data()
    ensemble = MLPEnsemble(epochs=2)
    state = torch.random.get_rng_state()
    first, again, other = (ensemble.fit(rows, targets, seed).predict(rows) for seed in (5, 5, 6))
    assert torch.equal(torch.random.get_rng_state(), state)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
