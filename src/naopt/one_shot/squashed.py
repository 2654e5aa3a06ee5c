"""The controller of ENAS: an LSTM whose logits are bounded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from naopt.latent.controller import LSTMController
from naopt.latent.vocabulary import Vocabulary

if TYPE_CHECKING:
    from naopt.spaces import SearchSpace, Tokens

_INPUT = "input"


class SquashedController(LSTMController):
    """``logit <- c tanh(logit / T)``, so that no choice is ever certain (Bello et al. 2017; Pham et al. 2018).

    Two choices of a position differ at most by a factor of ``exp(2 c)`` in probability.

    Args:
        space: of the architectures.
        hidden_size: of the LSTM and of its embeddings.
        layers: of the LSTM.
        temperature: T.
        tanh_constant: c; 0 leaves the logits as they are, but for T.
        operation_tanh_reduce: c is divided by it at positions that do not choose an input (those whose kind is
            not ``input``).
    """

    def __init__(
        self,
        space: SearchSpace,
        hidden_size: int,
        layers: int,
        *,
        temperature: float,
        tanh_constant: float,
        operation_tanh_reduce: float,
    ) -> None:
        super().__init__(space, hidden_size, layers)
        constants = _constants(self.vocabulary, tanh_constant, operation_tanh_reduce)
        # In place of the output layer, so that whatever reads the logits reads the bounded ones.
        self.output = nn.Sequential(self.output, _Squash(temperature, constants))  # type: ignore[assignment]

    def sample(self, count: int, rng: np.random.Generator) -> list[Tokens]:
        """See ``Controller``; the LSTM reads every token once."""
        nothing = np.zeros((1, 0), dtype=np.int64)
        with torch.no_grad():
            state = self.encode(nothing)
        return [tuple(row) for row in self.complete(state, nothing, count, rng)[0].tolist()]


class _Squash(nn.Module):
    """The bound of each word's logit."""

    def __init__(self, temperature: float, constants: Tensor) -> None:
        super().__init__()
        self.temperature = temperature
        self.register_buffer("constants", constants, persistent=False)

    def forward(self, logits: Tensor) -> Tensor:
        """``(..., words)`` to the same shape."""
        scaled = logits / self.temperature
        constants = self.constants
        assert isinstance(constants, Tensor)
        return torch.where(constants > 0, constants * scaled.tanh(), scaled)


def _constants(vocabulary: Vocabulary, tanh_constant: float, operation_tanh_reduce: float) -> Tensor:
    """The constant c of each word ``(words,)``."""
    constants = torch.full((vocabulary.size,), tanh_constant)
    for index, position in enumerate(vocabulary.space.positions):
        if position.kind != _INPUT:
            constants[torch.from_numpy(vocabulary.choice_words(index))] = tanh_constant / operation_tanh_reduce
    return constants
