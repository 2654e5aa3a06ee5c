"""Optimiser steps on paths of shared weights: what a weight-sharing searcher asks for."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from naopt.memory import keep_freed_memory
from naopt.networks.path import Path
from naopt.one_shot.data import Batch, SharedData
from naopt.one_shot.optimiser import PathAdam, PathOptimiser, PathSGD
from naopt.one_shot.settings import OneShotSettings
from naopt.spaces import Architecture
from naopt.training.trainer import Trainer


class PathTrainer(Trainer):
    """A training of a supernet as its searcher sees it; which paths are trained is left to subclasses.

    Args:
        data: bound to the supernet.
        settings: of the searcher.
        learning_rate: at the first step.
        momentum: of SGD, if the settings say SGD; Nesterov's if ``nesterov``.
        nesterov: see there.
        weight_decay: L2 coefficient, on the parameters of the path.
        clip_norm: bound of the gradient's global norm; 0 for none.
        device: where everything is.

    Attributes:
        data: see there.
        shared: the supernet.
    """

    optimizer: PathOptimiser

    def __init__(
        self,
        data: SharedData,
        settings: OneShotSettings,
        *,
        learning_rate: float,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
        clip_norm: float = 0.0,
        device: torch.device,
    ) -> None:
        super().__init__()
        self.network, self.shared = data.network, data.shared
        self.data, self.settings, self.device = data, settings, device
        self.epochs, self.clip_norm = settings.epochs, clip_norm
        parameters, fused = list(self.network.parameters()), device.type in ("cpu", "cuda")
        if settings.optimiser == "adam":
            self.optimizer = PathAdam(parameters, learning_rate, weight_decay=weight_decay, fused=fused)
        else:
            nesterov = nesterov and momentum > 0
            self.optimizer = PathSGD(
                parameters, learning_rate, momentum, weight_decay=weight_decay, nesterov=nesterov, fused=fused
            )
        if device.type == "cpu":
            keep_freed_memory()
        self.network.train()

    def path(self, architecture: Architecture) -> Path:
        """The path that stands for an architecture in this supernet."""
        return self.shared.path(architecture)

    def train_path(self, path: Path) -> float:
        """One optimiser step of one path on the next batch; gives the loss."""
        self.shared.choose(path)
        loss = self.data.loss(self.data.next_train())
        loss.backward()  # type: ignore[no-untyped-call]
        self.apply(self.shared.path_parameters())
        return float(loss.detach())

    def loss_of(self, path: Path, batch: Batch) -> Tensor:
        """Loss of a path on a batch, in training mode."""
        self.shared.choose(path)
        return self.data.loss(batch)

    def apply(self, parameters: Sequence[nn.Parameter]) -> None:
        """Clips the gradients that are there, makes a step on these parameters, and clears their gradients."""
        if self.clip_norm:
            torch.nn.utils.clip_grad_norm_(parameters, self.clip_norm, foreach=True)
        self.optimizer.step_on(parameters)
