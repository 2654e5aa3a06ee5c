"""The likeliest parameters of a Gaussian process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import cho_solve, cholesky

from naopt.latent.kernel_sum import KernelSum
from naopt.latent.kernels import weighted

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

JITTER = 1e-6
"""Added to the noise variance, so that the covariance can be decomposed."""
_NOISE, _FIRST_NOISE = 0.05, 0.1
_WIDTH_WEIGHT, _WIDTH_LENGTH, _WIDTH_NOISE = 1.5, 1.0, 1.5
_LINEAR, _BESIDE = 0.05, 0.03
_FAILED = 1e10
_FARTHEST = 10.0
"""Bound of the parameters' logarithms; a line search must not leave what can be computed."""


def likeliest(kernels: KernelSum, squares: Sequence[Array], targets: Array, errors: Array | None, steps: int) -> Array:
    """Parameters, as ``KernelSum`` packs them, that maximise the marginal likelihood times log-normal priors.

    Rasmussen & Williams 2006, Eq. 5.8 and 5.9. Weights are expected around equal shares of 1 (linear kernels and those
    beside them around 0.05 and 0.03), length scales around 1, the noise variance around 0.05.

    Args:
        kernels: of the process.
        squares: squared distances of the data in each group ``(n, n)``.
        targets: ``(n,)``, with mean 0 and variance about 1.
        errors: known variances of errors ``(n,)`` beside the noise.
        steps: most iterations of the optimiser.
    """
    count, linear = len(kernels.terms), kernels.linear
    equal = np.full(count - 2 * linear, -np.log(max(1, count - 2 * linear)))
    little = np.repeat(np.log([_BESIDE, _LINEAR]), linear)
    centre = np.r_[equal, little, np.zeros(len(squares)), np.log(_NOISE)]
    width = np.r_[np.full(count, _WIDTH_WEIGHT), np.full(len(squares), _WIDTH_LENGTH), _WIDTH_NOISE]
    diagonal = np.diag_indices(len(targets))

    def loss(parameters: Array) -> tuple[float, Array]:
        """Negative log posterior of the parameters, without constants, and its gradient."""
        weights, lengths, noise = kernels.unpack(parameters)
        covariance, parts = np.zeros((len(targets), len(targets))), []
        scaled = [square / length**2 for square, length in zip(squares, lengths, strict=True)]
        for kind, square, weight in zip(kernels.kinds, kernels.joined(scaled), weights, strict=True):
            part, slope = weighted(kind, square, weight)
            covariance += part
            parts.append((part, slope, square))
        covariance[diagonal] += noise + JITTER if errors is None else noise + JITTER + errors
        try:
            root = cholesky(covariance, lower=True, check_finite=False)
        except np.linalg.LinAlgError:
            return _FAILED, np.zeros_like(parameters)
        inverse = cho_solve((root, True), np.eye(len(targets)), check_finite=False)
        solved = inverse @ targets
        misfit = float(0.5 * targets @ solved + np.log(np.diag(root)).sum())
        rest = inverse - np.outer(solved, solved)
        gradient = [0.5 * np.vdot(rest, part) for part, _, _ in parts]
        for term, (_, slope, square) in zip(kernels.terms, parts, strict=True):
            if len(term) == 1:
                gradient.append(0.5 * np.vdot(rest, slope))
            else:  # each group has its share of the slope
                shared = rest * np.divide(slope, square, out=np.zeros_like(slope), where=square > 0)
                gradient += [0.5 * np.vdot(shared, scaled[at]) for at in term]
        gradient.append(0.5 * np.trace(rest) * noise)
        away = (parameters - centre) / width
        total: Array = np.array(gradient) + away / width
        return misfit + 0.5 * float(away @ away), total

    from scipy.optimize import minimize

    start = centre.copy()
    start[-1] = np.log(_FIRST_NOISE)
    bounds = [(-_FARTHEST, _FARTHEST)] * len(start)
    found: Array = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": steps}).x
    return found
