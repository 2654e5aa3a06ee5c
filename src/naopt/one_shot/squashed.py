"""The plain controller of ENAS: an LSTM that reads its last token, whose logits are bounded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from naopt.latent.controller import LSTMController
from naopt.latent.vocabulary import Vocabulary

if TYPE_CHECKING:
    from naopt.one_shot.bounds import Bounds
    from naopt.spaces import SearchSpace, Tokens


class SquashedController(LSTMController):
    """The controller of ``reinforce`` with bounded logits (``Bounds``).

    Args:
        space: of the architectures.
        hidden_size: of the LSTM and of its embeddings.
        layers: of the LSTM.
        bounds: of the logits; positions that do not refer to earlier nodes choose operations.
    """

    def __init__(self, space: SearchSpace, hidden_size: int, layers: int, *, bounds: Bounds) -> None:
        super().__init__(space, hidden_size, layers)
        # In place of the output layer, so that whatever reads the logits reads the bounded ones.
        self.output = nn.Sequential(self.output, _Squash(self.vocabulary, bounds))  # type: ignore[assignment]

    def sample(self, count: int, rng: np.random.Generator) -> list[Tokens]:
        """See ``Controller``; the LSTM reads every token once."""
        nothing = np.zeros((1, 0), dtype=np.int64)
        with torch.no_grad():
            state = self.encode(nothing)
        return [tuple(row) for row in self.complete(state, nothing, count, rng)[0].tolist()]


class _Squash(nn.Module):
    """The bound of each word's logit."""

    def __init__(self, vocabulary: Vocabulary, bounds: Bounds) -> None:
        super().__init__()
        self.bounds = bounds
        refers = torch.zeros(vocabulary.size, dtype=torch.bool)
        for index, position in enumerate(vocabulary.space.positions):
            if position.place is not None and position.place.refers:
                refers[torch.from_numpy(vocabulary.choice_words(index))] = True
        self.register_buffer("refers", refers, persistent=False)

    def forward(self, logits: Tensor) -> Tensor:
        """``(..., words)`` to the same shape."""
        refers = self.refers
        assert isinstance(refers, Tensor)
        return torch.where(refers, self.bounds.references(logits), self.bounds.operations(logits))
