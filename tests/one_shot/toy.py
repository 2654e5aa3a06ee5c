"""Shared weights whose best path is known: every choice has a fixed cost, and a weight that training moves to a target.

The loss of a path is the mean over its positions of ``cost + cosh(weight - target)``; a batch is its target.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from naopt.measurement import Goal
from naopt.networks.path import Path
from naopt.networks.supernet import Mixable, SharedWeights
from naopt.one_shot.base import Memory, OneShotSearcher
from naopt.one_shot.data import SharedData
from naopt.one_shot.trainer import SharedTrainer
from naopt.spaces import GenericSpace, Position, Tokens

CHOICES = ("best", "identity", "none", "worst")


_NO_CHOICE = 3.0
"""Cost of a column of a mixture that is no choice."""


def toy_space(positions: int = 3) -> GenericSpace:
    """Positions alike; the first choice of each is the best."""
    return GenericSpace([Position(f"p{index}", CHOICES, "operation") for index in range(positions)], "toy")


class ToyPaths(nn.Module, SharedWeights):
    """One weight for each choice of each position; computes paths only."""

    columns = len(CHOICES)

    def __init__(self, space: GenericSpace, dropout: float = 0.0) -> None:
        super().__init__()
        self.space, self.dropout = space, dropout
        shape = len(space.positions), len(CHOICES)
        self.weights = nn.ParameterList([nn.Parameter(torch.rand(())) for _ in range(shape[0] * shape[1])])
        self.register_buffer("costs", torch.linspace(0, 1, shape[1]).expand(shape).clone())
        self.weights_of_choices: Tensor | None = None
        self.tokens: Tokens = (0,) * shape[0]

    def _follow(self, tokens: Tokens) -> None:
        self.tokens, self.weights_of_choices = tokens, None

    def path_parameters(self) -> list[nn.Parameter]:
        if self.weights_of_choices is not None:
            return list(self.weights)
        return [self.weights[index * len(CHOICES) + token] for index, token in enumerate(self.tokens)]

    def forward(self, target: Tensor) -> Tensor:
        """The loss."""
        costs = self.costs
        assert isinstance(costs, Tensor)
        if self.weights_of_choices is not None:
            every = costs + (torch.stack(tuple(self.weights)).view_as(costs) - target).cosh()
            every = F.dropout(every, self.dropout, self.training)
            weights = self.weights_of_choices
            total = (weights[:, : len(CHOICES)] * every).sum() + _NO_CHOICE * weights[:, len(CHOICES) :].sum()
            return total / len(self.tokens)
        rows = torch.arange(len(self.tokens))
        chosen = torch.stack(tuple(self.path_parameters()))
        return (costs[rows, list(self.tokens)] + (chosen - target).cosh()).mean()


class ToyMixtures(ToyPaths, Mixable):
    """The same, with mixtures, whose rows decide the positions."""

    def mixing_shapes(self) -> list[tuple[int, ...]]:
        return [(len(self.space.positions), self.columns)]

    def mix(self, weights: Sequence[Tensor]) -> None:
        (self.weights_of_choices,) = weights

    def derive(self, weights: Sequence[Tensor]) -> Tokens:
        return tuple(weights[0][:, : len(CHOICES)].argmax(1).tolist())


class ToyWiderMixtures(ToyMixtures):
    """With a column that is no choice."""

    columns = len(CHOICES) + 1


class ToyData(SharedData):
    """Targets around 1; remembers on which validation batches rewards were asked for."""

    metric = "acc"
    goal: Goal = "max"
    steps = 6

    def __init__(self, network: ToyPaths) -> None:
        super().__init__(network)
        self.at = 0
        self.rewarded: list[Tensor] = []
        self.drawn = 0

    def next_train(self) -> Tensor:
        self.at = self.at % self.steps + 1
        return 1 + 0.1 * torch.randn(())

    def next_valid(self) -> Tensor:
        self.drawn += 1
        return 1 + 0.1 * torch.randn(())

    def loss(self, batch: Tensor) -> Tensor:
        found: Tensor = self.network(batch)
        return found

    def reward(self, batch: Tensor) -> float:
        self.rewarded.append(batch)
        with self.without_gradients():
            return 1 / (1 + float(self.loss(batch)))

    def log_likelihoods(self, paths: Sequence[Path], batch: Tensor) -> NDArray[np.float64]:
        found = []
        with self.without_gradients():
            for path in paths:
                self.shared.choose(path)
                found.append(-float(self.loss(batch)))
        return np.array(found)

    def measure(self, path: Path) -> dict[str, float]:
        self.shared.choose(path)
        with self.without_gradients():
            loss = float(self.loss(torch.ones(())))
        return {"acc": 100 / (1 + loss), "loss": loss}

    def memory(self) -> Memory:
        return Memory({}, {"at": self.at})

    def restore(self, memory: Memory) -> None:
        self.at = int(memory.facts["at"])


def toy_trainer(
    kind: type[OneShotSearcher],
    network: type[ToyPaths] = ToyMixtures,
    *,
    positions: int = 3,
    dropout: float = 0.0,
    rate: float = 0.1,
    momentum: float = 0.9,
    seed: int = 0,
    **settings: Any,
) -> SharedTrainer:
    """The training of a searcher on the toy."""
    torch.manual_seed(seed)
    searcher = kind(toy_space(positions), kind.settings_type.parse({"epochs": 5} | settings), seed=seed)
    return toy_training(searcher, network, dropout=dropout, rate=rate, momentum=momentum)


def toy_training(
    searcher: OneShotSearcher,
    network: type[ToyPaths] = ToyMixtures,
    *,
    dropout: float = 0.0,
    rate: float = 0.1,
    momentum: float = 0.9,
) -> SharedTrainer:
    """The training of a fresh searcher of a toy space on the toy; torch's generator initialises it."""
    assert isinstance(searcher.space, GenericSpace)
    data = ToyData(network(searcher.space, dropout))
    return SharedTrainer(data, searcher, learning_rate=rate, momentum=momentum, device=torch.device("cpu"))


def best(positions: int = 3) -> Tokens:
    """The path of least cost."""
    return (0,) * positions


def every(positions: int = 3) -> NDArray[np.int64]:
    """All paths."""
    return np.array([a.tokens for a in toy_space(positions).enumerate()], dtype=np.int64)
