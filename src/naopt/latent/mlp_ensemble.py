"""An ensemble of multilayer perceptrons, trained side by side as one batched product.

Shapes: M members, N rows, B rows of a batch, D inputs, W width.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from naopt.latent.layout import row_major
from naopt.latent.threads import one_torch_thread

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class MLPEnsemble:
    """Trains M perceptrons with ReLU that differ in their initial weights and in the order of their batches.

    He-uniform weights, zero biases, Adam without weight decay.

    Attributes:
        members: M.
        layers: hidden ones.
        width: W, of each hidden layer.
        loss: absolute (``mae``) or squared (``mse``) error.
        epochs: passes over the rows.
        batch_size: B at most.
        learning_rate: of Adam, constant.
    """

    members: int = 5
    layers: int = 10
    width: int = 20
    loss: Literal["mae", "mse"] = "mae"
    epochs: int = 150
    batch_size: int = 32
    learning_rate: float = 0.01

    def fit(self, rows: NDArray[np.float64], targets: NDArray[np.float64], seed: int) -> FittedEnsemble:
        """Fits on rows ``(N, D)``, ``N >= 1``, and targets ``(N,)``; a function of these and the seed."""
        generator = torch.Generator().manual_seed(seed)
        x = torch.from_numpy(row_major(rows).astype(np.float32))
        y = torch.from_numpy(np.asarray(targets, dtype=np.float32))
        sizes = [x.shape[1], *[self.width] * self.layers, 1]
        weights: list[Tensor] = []
        for inputs, outputs in pairwise(sizes):
            bound = (6 / inputs) ** 0.5
            drawn = torch.rand(self.members, inputs, outputs, generator=generator)
            weights += [bound * (2 * drawn - 1), torch.zeros(self.members, 1, outputs)]
        with one_torch_thread():
            for weight in weights:
                weight.requires_grad_()
            optimiser = torch.optim.Adam(weights, lr=self.learning_rate, fused=True)
            error = F.l1_loss if self.loss == "mae" else F.mse_loss
            for _ in range(self.epochs):
                order = torch.rand(self.members, len(x), generator=generator).argsort(dim=1)
                for batch in torch.split(order, self.batch_size, dim=1):
                    optimiser.zero_grad(set_to_none=True)
                    predicted = _forward(weights, x[batch])
                    loss = self.members * error(predicted, y[batch])
                    loss.backward()  # type: ignore[no-untyped-call]
                    optimiser.step()
        return FittedEnsemble(tuple(weight.detach() for weight in weights))


@dataclass(frozen=True)
class FittedEnsemble:
    """Weights ``(M, inputs, outputs)`` and biases ``(M, 1, outputs)`` in turn."""

    weights: tuple[Tensor, ...]

    def predict(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """What each member predicts of rows ``(N, D)``: ``(M, N)``."""
        x = torch.from_numpy(row_major(rows).astype(np.float32))
        with one_torch_thread(), torch.no_grad():
            members = self.weights[0].shape[0]
            predicted: NDArray[np.float64] = _forward(self.weights, x.expand(members, -1, -1)).double().numpy()
        return predicted


def _forward(weights: tuple[Tensor, ...] | list[Tensor], x: Tensor) -> Tensor:
    """Outputs ``(M, B)`` of inputs ``(M, B, D)``."""
    for index in range(0, len(weights), 2):
        x = torch.baddbmm(weights[index + 1], x, weights[index])
        if index < len(weights) - 2:
            x = torch.relu(x)
    return x.squeeze(-1)
