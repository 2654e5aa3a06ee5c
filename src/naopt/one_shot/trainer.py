"""Training of shared weights."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from naopt.networks.base import ChildNetwork
from naopt.one_shot.base import OneShotSearcher
from naopt.one_shot.data import SharedData
from naopt.one_shot.path_trainer import PathTrainer
from naopt.tasks.parts import Part
from naopt.training.state import TrainingState
from naopt.training.trainer import DivergedError, nothing


class SharedTrainer(PathTrainer):
    """Trains a supernet on the paths that a searcher samples, with a learning rate that falls by a cosine.

    A loss, or a figure of the searcher's, that is not finite sends weights, optimiser and searcher back to where the
    epoch began; it begins again with other batches and half the learning rate, ``rollbacks`` times at most.

    Args:
        data: bound to the supernet.
        searcher: fresh.
        learning_rate: at the first step; it ends at ``min_learning_rate``.
        min_learning_rate: at the last.
        momentum: of SGD, if the settings say SGD; Nesterov's if ``nesterov``.
        nesterov: see there.
        weight_decay: L2 coefficient, on the parameters of the path.
        clip_norm: bound of the gradient's global norm; 0 for none.
        device: where everything is.
    """

    def __init__(
        self,
        data: SharedData,
        searcher: OneShotSearcher,
        *,
        learning_rate: float,
        min_learning_rate: float = 0.0,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
        clip_norm: float = 0.0,
        device: torch.device,
    ) -> None:
        super().__init__(
            data,
            searcher.settings,
            learning_rate=learning_rate,
            momentum=momentum,
            nesterov=nesterov,
            weight_decay=weight_decay,
            clip_norm=clip_norm,
            device=device,
        )
        self.searcher = searcher
        self.rate, self.last_rate = learning_rate, min_learning_rate
        self._at, self._sum, self._rollbacks = 0, 0.0, 0
        searcher.begin(self)
        self._good: TrainingState | None = None

    def epoch_start(self) -> TrainingState:
        """The state at the start of the epoch, from which a training that was stopped amid it goes on."""
        return self.state() if self._good is None else self._good

    def train_epoch(self, on_step: Callable[[], None] = nothing) -> dict[str, float]:
        """See ``Trainer``. Figures: ``train_loss``, the rate, ``rollbacks`` so far, and what the searcher gives."""
        if self._good is None:
            self._good = _copied(self.state())
        while True:
            try:
                figures = self._finish_epoch(on_step)
            except DivergedError:
                if self._rollbacks == self.settings.rollbacks:
                    raise
                self._roll_back()
            else:
                self._good = None
                return figures

    def _finish_epoch(self, on_step: Callable[[], None]) -> dict[str, float]:
        while self._at < self.data.steps:
            self.optimizer.param_groups[0]["lr"] = self._learning_rate()
            if isinstance(self.network, ChildNetwork):
                self.network.progress = self._progress()
            loss = self.searcher.step(self)
            if not math.isfinite(loss):
                raise DivergedError(f"loss {loss} of shared weights in epoch {self.epoch + 1} of {self.epochs}")
            self._sum += loss
            self._at += 1
            self.step += 1
            on_step()
        figures = {"train_loss": self._sum / self.data.steps, "learning_rate": self._learning_rate()}
        for name, value in self.searcher.end_epoch(self).items():
            if not math.isfinite(value):
                raise DivergedError(f"{name} {value} in epoch {self.epoch + 1} of {self.epochs}")
            figures[name] = value
        if not all(bool(torch.isfinite(parameter).all()) for parameter in self.network.parameters()):
            raise DivergedError(f"shared weights are not finite after epoch {self.epoch + 1} of {self.epochs}")
        self._at, self._sum = 0, 0.0
        return {**figures, "rollbacks": float(self._rollbacks)}

    def _learning_rate(self) -> float:
        full = self.last_rate + (self.rate - self.last_rate) * self.searcher.rate(self._progress())
        return full * 0.5**self._rollbacks

    def _progress(self) -> float:
        """Fraction of the training that is done."""
        return min((self.epoch + self._at / self.data.steps) / self.epochs, 1.0)

    def _roll_back(self) -> None:
        assert self._good is not None
        good, now = _copied(self._good), self.state()
        for parameter in self.network.parameters():
            parameter.grad = None
        # Randomness goes on from where it diverged: the same batches and paths would diverge again.
        good.tensors.update((name, tensor) for name, tensor in now.tensors.items() if name.startswith("generator."))
        good.facts["own"] |= {"rng": now.facts["own"]["rng"], "rollbacks": self._rollbacks + 1}
        self.restore(good)

    def measure(self, part: Part) -> dict[str, float]:
        """A path that the searcher samples, on the validation data."""
        if part != "valid":
            raise ValueError(f"shared weights are measured on valid, not on {part}")
        return self.data.measure(self.path(self.searcher.sample()))

    def own_state(self) -> TrainingState:
        """Place in the epoch, the data's order, and all that the searcher remembers."""
        tensors: dict[str, Tensor] = {}
        facts: dict[str, Any] = {"at": self._at, "sum": self._sum, "rollbacks": self._rollbacks}
        facts["rng"] = _plain(self.searcher.rng.bit_generator.state)
        for name, memory in (("data", self.data.memory()), ("searcher", self.searcher.memory())):
            tensors |= {f"{name}.{key}": tensor for key, tensor in memory.tensors.items()}
            facts[name] = memory.facts
        return TrainingState(tensors, facts)

    def restore_own(self, state: TrainingState) -> None:
        """See ``Trainer``."""
        facts = state.facts
        self._at, self._sum, self._rollbacks = int(facts["at"]), float(facts["sum"]), int(facts["rollbacks"])
        self.searcher.rng.bit_generator.state = facts["rng"]
        self.data.restore(TrainingState(state.below("data"), facts["data"]))
        self.searcher.restore(TrainingState(state.below("searcher"), facts["searcher"]))


def _copied(state: TrainingState) -> TrainingState:
    tensors = {name: tensor.detach().clone() for name, tensor in state.tensors.items()}
    return TrainingState(tensors, copy.deepcopy(state.facts))


def _plain(value: Any) -> Any:
    """JSON values of a generator's state."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value.tolist() if isinstance(value, np.ndarray | np.integer) else value
