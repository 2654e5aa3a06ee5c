"""An LSTM that reads an architecture's tokens and predicts several targets at once.

Shapes: N architectures, T positions, M targets, D hidden size.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from naopt.latent.threads import one_torch_thread
from naopt.spaces import SearchSpace, Tokens

if TYPE_CHECKING:
    from numpy.typing import NDArray


class RecurrentSurrogate(nn.Module):
    """Embedding of choices, each position having its own; LSTM; and a linear layer on the mean of its outputs.

    Args:
        space: of the architectures.
        hidden_size: D, of embeddings and LSTM.
        targets: M.
    """

    def __init__(self, space: SearchSpace, hidden_size: int, targets: int) -> None:
        super().__init__()
        self._most = max(len(position.choices) for position in space.positions)
        self.embedding = nn.Embedding(len(space.positions) * self._most, hidden_size)
        self.lstm = nn.LSTM(hidden_size, hidden_size, batch_first=True)
        self.output = nn.Linear(hidden_size, targets)

    def forward(self, rows: Tensor) -> Tensor:
        """Targets ``(N, M)`` of ``rows`` ``(N, T)``."""
        outputs: Tensor = self.lstm(self.embedding(rows))[0]
        found: Tensor = self.output(outputs.mean(dim=1))
        return found

    def rows(self, tokens: Sequence[Tokens]) -> Tensor:
        """What ``forward`` reads of N >= 1 sequences: ``(N, T)`` choices of all positions, counted through."""
        table = np.array(tokens, dtype=np.int64)
        return torch.from_numpy(table + self._most * np.arange(table.shape[1]))

    @torch.no_grad()
    @one_torch_thread()
    def predict(self, tokens: Sequence[Tokens]) -> NDArray[np.float64]:
        """Targets ``(N, M)`` of N >= 1 sequences."""
        found: NDArray[np.float64] = self(self.rows(tokens)).double().numpy()
        return found


@one_torch_thread()
def fit_surrogate(
    space: SearchSpace,
    tokens: Sequence[Tokens],
    targets: NDArray[np.float64],
    seed: int,
    *,
    hidden_size: int,
    epochs: int,
    batch_size: int,
    learning_rate: float,
) -> RecurrentSurrogate:
    """A surrogate fitted to N >= 1 sequences and targets ``(N, M)`` by absolute errors and Adam; all from ``seed``."""
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        model = RecurrentSurrogate(space, hidden_size, targets.shape[1])
    rows, wanted = model.rows(tokens), torch.from_numpy(targets.astype(np.float32))
    optimiser = torch.optim.Adam(model.parameters(), lr=learning_rate)
    for _ in range(epochs):
        for batch in torch.split(torch.randperm(len(rows), generator=generator), batch_size):
            optimiser.zero_grad(set_to_none=True)
            loss = F.l1_loss(model(rows[batch]), wanted[batch])
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
    return model
