"""Controllers: distributions over a space's architectures, from which ``reinforce`` draws and which it teaches.

Shapes: N architectures, T positions, C most choices of a position, V words, D hidden size.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from naopt.latent.vocabulary import START, Vocabulary
from naopt.spaces import SearchSpace, Tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

State = tuple[Tensor, Tensor]
"""Hidden and cell state of an LSTM, each ``(layers, N, D)``."""

_INITIAL_RANGE = 0.08
"""Weights start uniform in +-0.08 (Zoph & Le 2017, section 4.1)."""
_INITIAL_SPREAD = 1e-3
"""Standard deviation of independent logits at the start, as in the programs of the benchmark papers."""


class Controller(nn.Module, ABC):
    """A distribution over valid token sequences, position by position.

    At each position a softmax over the choices that the space allows after what was decided before.
    """

    def __init__(self, space: SearchSpace) -> None:
        super().__init__()
        self.space = space

    @abstractmethod
    def logits(self, tokens: NDArray[np.int64]) -> Tensor:
        """Logits ``(N, T, C)`` of what stands at each position of ``(N, T)`` tokens given what was decided before."""

    def forward(self, tokens: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """Log-probabilities ``(N,)`` of whole sequences ``(N, T)``, and the sums of their positions' entropies."""
        return self._scored(tokens, self.logits(tokens))

    def _scored(self, tokens: NDArray[np.int64], logits: Tensor) -> tuple[Tensor, Tensor]:
        mask = self._masks(tokens)
        log_probabilities = _masked_log_softmax(logits, mask)
        chosen = log_probabilities.gather(-1, torch.from_numpy(tokens)[..., None]).squeeze(-1)
        entropy = -(log_probabilities.exp() * log_probabilities.masked_fill(~mask, 0.0)).sum(dim=(1, 2))
        return chosen.sum(dim=1), entropy

    @abstractmethod
    def sample(self, count: int, rng: np.random.Generator) -> list[Tokens]:
        """``count`` independent sequences, all valid."""

    @torch.no_grad()
    def _written(
        self, logits: Callable[[NDArray[np.int64]], Tensor], count: int, rng: np.random.Generator
    ) -> list[Tokens]:
        """``sample`` where positions are decided as they stand: ``logits`` gives those ``(N, C)`` after ``(N, t)``."""
        tokens = np.zeros((count, 0), dtype=np.int64)
        for _ in self.space.positions:
            tokens = self._with_next(tokens, logits(tokens), rng)
        return [tuple(row) for row in tokens.tolist()]

    def _with_next(self, tokens: NDArray[np.int64], logits: Tensor, rng: np.random.Generator) -> NDArray[np.int64]:
        """Sequences ``(N, t)`` with one more token each, drawn by logits ``(N, C)`` among the valid choices."""
        chosen = drawn(logits, self._padded(self.space.choice_mask(tokens)), rng)
        return np.concatenate([tokens, chosen[:, None]], axis=1)

    @property
    def most_choices(self) -> int:
        """C."""
        return max(len(position.choices) for position in self.space.positions)

    def _masks(self, tokens: NDArray[np.int64]) -> Tensor:
        masks = [self._padded(self.space.choice_mask(tokens[:, :index])) for index in range(tokens.shape[1])]
        return torch.from_numpy(np.stack(masks, axis=1))

    def _padded(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        padded = np.zeros((len(mask), self.most_choices), dtype=np.bool_)
        padded[:, : mask.shape[1]] = mask
        return padded


class IndependentController(Controller):
    """One free logit for each choice of each position: what stands before matters for validity only.

    The policy of the REINFORCE baselines of NAS-Bench-101 (Ying et al. 2019) and NAS-Bench-201 (Dong & Yang 2020).
    """

    def __init__(self, space: SearchSpace) -> None:
        super().__init__(space)
        self.weights = nn.Parameter(_INITIAL_SPREAD * torch.randn(len(space.positions), self.most_choices))

    def logits(self, tokens: NDArray[np.int64]) -> Tensor:
        """The weights, whatever the tokens."""
        return self.weights.expand(len(tokens), -1, -1)

    def sample(self, count: int, rng: np.random.Generator) -> list[Tokens]:
        """See ``Controller``."""
        return self._written(lambda tokens: self.weights[tokens.shape[1]].expand(count, -1), count, rng)


class RecurrentController(Controller):
    """A controller with a state, from which it goes on, and which it may begin with.

    The state after it has read a whole architecture is that architecture's embedding (Adam & Lorraine 2019).
    """

    @property
    @abstractmethod
    def order(self) -> tuple[int, ...]:
        """The positions as they are decided."""

    @abstractmethod
    def encode(self, tokens: NDArray[np.int64]) -> State:
        """The state after whole architectures ``(N, T)`` were read, from zeros; with a gradient."""

    @abstractmethod
    def log_probability(self, tokens: NDArray[np.int64], initial: State) -> Tensor:
        """Log-probabilities ``(N,)`` of whole sequences ``(N, T)``, each written from a state of its own."""

    @abstractmethod
    def decode(self, state: State, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Whole architectures ``(N, count, T)``, ``count`` independent ones with each state as the initial one."""

    @abstractmethod
    def continued(self, decided: NDArray[np.int64], count: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Whole architectures ``(N, count, T)``, ``count`` independent ones from each beginning.

        Args:
            decided: valid tokens ``(N, t)`` of the first t positions of ``order``.
            count: how many.
            rng: the only source of randomness.
        """


class LSTMController(RecurrentController):
    """An LSTM that reads the last token and emits the next (Zoph & Le 2017, section 3.1).

    Choices of one name at positions of one kind share embedding and output weights, as in the latent model; the paper
    has an output layer for each position.
    """

    def __init__(self, space: SearchSpace, hidden_size: int, layers: int) -> None:
        super().__init__(space)
        self.vocabulary = Vocabulary(space)
        self.embedding = nn.Embedding(self.vocabulary.size, hidden_size)
        self.lstm = nn.LSTM(hidden_size, hidden_size, layers, batch_first=True)
        self.output = nn.Linear(hidden_size, self.vocabulary.size)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -_INITIAL_RANGE, _INITIAL_RANGE)

    @property
    def order(self) -> tuple[int, ...]:
        """As they stand."""
        return tuple(range(self.vocabulary.length))

    def sample(self, count: int, rng: np.random.Generator) -> list[Tokens]:
        """See ``Controller``."""
        return self._written(lambda tokens: self.logits(tokens)[:, tokens.shape[1]], count, rng)

    def logits(self, tokens: NDArray[np.int64], initial: State | None = None) -> Tensor:
        """The LSTM's logits; it reads all tokens but the last position's, from an initial state (zeros by default).

        After beginnings ``(N, t)`` with t < T logits come for positions 0 to t.
        """
        length = min(tokens.shape[1] + 1, self.vocabulary.length)
        states, _ = self._read(tokens[:, : length - 1], initial)
        every = self.output(states)
        choices = torch.from_numpy(self.vocabulary.words[:length])
        chosen: Tensor = every.gather(-1, choices[None].expand(len(tokens), -1, -1))
        return chosen

    def encode(self, tokens: NDArray[np.int64], initial: State | None = None) -> State:
        """The state after the start word and ``(N, t)`` tokens, ``t <= T``, were read; with a gradient."""
        state: State = self._read(tokens, initial)[1]
        return state

    def log_probability(self, tokens: NDArray[np.int64], initial: State) -> Tensor:
        """See ``RecurrentController``."""
        return self._scored(tokens, self.logits(tokens, initial))[0]

    def continued(self, decided: NDArray[np.int64], count: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """See ``RecurrentController``."""
        with torch.no_grad():
            return self.complete(self.encode(decided), decided, count, rng)

    @torch.no_grad()
    def complete(
        self, state: State, prefixes: NDArray[np.int64], count: int, rng: np.random.Generator
    ) -> NDArray[np.int64]:
        """Completions ``(N, count, T)``, ``count`` independent ones from each state.

        Args:
            state: after the start word and the prefix were read (``encode``).
            prefixes: valid, ``(N, t)``.
            count: how many.
            rng: the only source of randomness.
        """
        hidden, cell = (part.repeat_interleave(count, dim=1) for part in state)
        tokens = prefixes.repeat(count, axis=0)
        for index in range(prefixes.shape[1], self.vocabulary.length):
            choices = torch.from_numpy(self.vocabulary.words[index])
            tokens = self._with_next(tokens, self.output(hidden[-1])[:, choices], rng)
            words = torch.from_numpy(self.vocabulary.words[index, tokens[:, -1:]])
            _, (hidden, cell) = self.lstm(self.embedding(words), (hidden, cell))
        return tokens.reshape(len(prefixes), count, -1)

    @torch.no_grad()
    def decode(self, state: State, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """See ``RecurrentController``."""
        nothing = np.zeros((state[0].shape[1], 0), dtype=np.int64)
        return self.complete(self.encode(nothing, state), nothing, count, rng)

    def _read(self, tokens: NDArray[np.int64], initial: State | None) -> tuple[Tensor, State]:
        """Outputs ``(N, t + 1, D)`` and the last state, the start word and ``(N, t)`` tokens having been read."""
        words = np.full((len(tokens), tokens.shape[1] + 1), START, dtype=np.int64)
        words[:, 1:] = self.vocabulary.words[np.arange(tokens.shape[1]), tokens]
        outputs: tuple[Tensor, State] = self.lstm(self.embedding(torch.from_numpy(words)), initial)
        return outputs


def build_controller(space: SearchSpace, policy: str, hidden_size: int, layers: int, seed: int) -> Controller:
    """The controller of a policy (``lstm`` or ``independent``), with weights drawn from ``seed``; on the CPU."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        return LSTMController(space, hidden_size, layers) if policy == "lstm" else IndependentController(space)


def reinforce_loss(
    controller: Controller, tokens: Sequence[Tokens], advantages: NDArray[np.float64], entropy_weight: float
) -> Tensor:
    """``-mean(advantage * log p(tokens)) - entropy_weight * mean(entropy)`` (Williams 1992; Zoph & Le 2017, Eq. 3).

    Args:
        controller: whose parameters the gradient is for.
        tokens: N sequences.
        advantages: ``(N,)`` reward less baseline.
        entropy_weight: what a nat of entropy is worth, in the advantages' unit.
    """
    log_probability, entropy = controller(np.array(tokens, dtype=np.int64))
    weights = torch.from_numpy(advantages).to(log_probability.dtype)
    loss: Tensor = -(weights * log_probability).mean() - entropy_weight * entropy.mean()
    return loss


def drawn(logits: Tensor, mask: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.int64]:
    """One valid choice each ``(N,)``, by the softmax of logits ``(N, C)`` among those of the mask ``(N, C)``."""
    cumulative = _masked_log_softmax(logits, torch.from_numpy(mask)).exp().double().numpy().cumsum(axis=1)
    draws = rng.random((len(mask), 1)) * cumulative[:, -1:]
    chosen: NDArray[np.int64] = (cumulative <= draws).sum(axis=1)
    return chosen


def _masked_log_softmax(logits: Tensor, mask: Tensor) -> Tensor:
    return logits.masked_fill(~mask, -torch.inf).log_softmax(dim=-1)
