"""The contract of one training, and the loop around it."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from naopt.tasks.parts import Part
from naopt.training.state import TrainingState


class DivergedError(ArithmeticError):
    """The loss is no longer finite."""


def nothing(*_: object) -> None:
    """A callback that does nothing."""


class Trainer(ABC):
    """One training of one network, which can be stopped after any optimiser step and resumed bit for bit on a CPU.

    Contract. All randomness comes from torch's default generators (of the CPU and of ``device``), which ``state``
    saves. A subclass's ``train_epoch`` goes on from wherever the training stands, and calls ``on_step`` after each
    optimiser step, when everything that ``own_state`` gives is up to date; whatever else it needs to go on amid
    an epoch (order, position, sums) belongs to ``own_state``. ``train_epoch`` does not count epochs; ``run`` does.

    Attributes:
        network: what is trained.
        optimizer: its optimiser; a subclass that exchanges it in mid-training does so again in ``restore_own``.
        device: where.
        epochs: how many in all.
        epoch: how many are complete.
        step: optimiser steps so far.
        history: what each complete epoch found.
    """

    network: nn.Module
    optimizer: torch.optim.Optimizer
    device: torch.device
    epochs: int

    def __init__(self) -> None:
        self.epoch = 0
        self.step = 0
        self.history: list[dict[str, float]] = []

    @abstractmethod
    def train_epoch(self, on_step: Callable[[], None] = nothing) -> dict[str, float]:
        """Trains to the end of the current epoch; gives its figures by name (``train_loss``, ``learning_rate``, ...).

        Raises:
            DivergedError: the loss is not finite.
        """

    @abstractmethod
    def measure(self, part: Part) -> dict[str, float]:
        """Metrics of the network as it stands on one part of the data, by name without the part (``acc``, ``loss``).

        Raises:
            DivergedError: the loss is not finite.
        """

    def chosen(self) -> dict[str, str]:
        """What the training decided by itself, by name."""
        return {}

    @abstractmethod
    def own_state(self) -> TrainingState:
        """What the subclass needs to go on, beside network, optimiser, generators, epoch and step."""

    @abstractmethod
    def restore_own(self, state: TrainingState) -> None:
        """Inverse of ``own_state``."""

    def run(
        self,
        on_step: Callable[[], None] = nothing,
        on_epoch: Callable[[dict[str, float]], None] = nothing,
        until: int | None = None,
    ) -> None:
        """Trains until so many epochs are complete, by default all.

        ``on_epoch`` hears the figures of each, ``seconds`` included.
        """
        while self.epoch < (self.epochs if until is None else until):
            start = time.perf_counter()
            figures = self.train_epoch(on_step)
            figures["seconds"] = time.perf_counter() - start
            self.epoch += 1
            self.history.append(figures)
            on_epoch(figures)

    def state(self) -> TrainingState:
        """Where the training stands. The tensors are the live ones: save them before the next step."""
        own = self.own_state()
        tensors = {f"own.{name}": tensor for name, tensor in own.tensors.items()}
        tensors |= {f"network.{name}": tensor for name, tensor in self.network.state_dict().items()}
        numbers: dict[str, dict[str, Any]] = {}
        for index, values in self.optimizer.state_dict()["state"].items():
            for name, value in values.items():
                if isinstance(value, Tensor):
                    tensors[f"optimizer.{index}.{name}"] = value
                elif value is not None:
                    numbers.setdefault(str(index), {})[name] = value
        tensors["generator.cpu"] = torch.get_rng_state()
        if self.device.type == "cuda":
            tensors["generator.device"] = torch.cuda.get_rng_state(self.device)
        facts = {
            "epoch": self.epoch,
            "step": self.step,
            "history": self.history,
            "optimizer": numbers,
            "own": own.facts,
        }
        return TrainingState(tensors, facts)

    def restore(self, state: TrainingState) -> None:
        """Goes back to a state, of a training of the same network and settings."""
        self.epoch, self.step = int(state.facts["epoch"]), int(state.facts["step"])
        self.history = [dict(figures) for figures in state.facts["history"]]
        self.restore_own(TrainingState(state.below("own"), state.facts["own"]))
        self.network.load_state_dict(state.below("network"))
        self._restore_optimizer(state)
        torch.set_rng_state(state.tensors["generator.cpu"].cpu())
        if self.device.type == "cuda" and "generator.device" in state.tensors:
            torch.cuda.set_rng_state(state.tensors["generator.device"].cpu(), self.device)

    def _restore_optimizer(self, state: TrainingState) -> None:
        values: dict[int, dict[str, Any]] = {}
        for key, tensor in state.below("optimizer").items():
            index, _, name = key.partition(".")
            values.setdefault(int(index), {})[name] = tensor.clone()
        numbers: Mapping[str, Mapping[str, Any]] = state.facts["optimizer"]
        for index, named in numbers.items():
            values.setdefault(int(index), {}).update(named)
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": values})
