"""What shared weights are trained and measured on, whatever kind of data it is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from naopt.training.state import TrainingState

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from naopt.measurement import Goal
    from naopt.networks.path import Path
    from naopt.networks.supernet import SharedWeights

Batch = Any
"""Inputs and targets of one step, as the data that gave it understands them."""


class SharedData(ABC):
    """Data bound to a supernet. All randomness comes from torch's default generators.

    Args:
        network: the supernet, on its device.

    Attributes:
        metric: name of what paths are ranked by, without ``shared_``.
        goal: its direction.
        steps: training steps of one pass over the training data.
    """

    metric: str
    goal: Goal
    steps: int

    def __init__(self, network: nn.Module) -> None:
        self.network = network
        self._modules = list(network.modules())

    @property
    def shared(self) -> SharedWeights:
        """The supernet as such."""
        from naopt.networks.supernet import SharedWeights

        assert isinstance(self.network, SharedWeights)
        return self.network

    @abstractmethod
    def next_train(self) -> Batch:
        """The next training batch. A pass over the data has ``steps`` of them; the one after begins a new pass."""

    @abstractmethod
    def next_valid(self) -> Batch:
        """A random batch of the validation data, as large as a training batch, for what controllers learn from."""

    @abstractmethod
    def loss(self, batch: Batch) -> Tensor:
        """Loss of the chosen path (or mixture) on a batch, in training mode; a scalar with a gradient."""

    @abstractmethod
    def reward(self, batch: Batch) -> float:
        """What a controller learns from: accuracy in 0..1 of the chosen path on a batch, or 80 / perplexity (ENAS)."""

    @abstractmethod
    def log_likelihoods(self, paths: Sequence[Path], batch: Batch) -> NDArray[np.float64]:
        """Mean log-likelihood, in nats, of a batch's targets under each of these paths ``(n,)``; not finite where none.

        It is that of the data: nothing is smoothed, dropped or added, and no second head has a say. Paths of images are
        normalised by the batch, as in training.
        """

    @abstractmethod
    def measure(self, path: Path) -> dict[str, float]:
        """The metric and the ``loss`` of a path on all validation data: the same batches for every path.

        A path whose loss is not finite gives no number: the result is empty.
        """

    def scores(self, paths: Sequence[Path]) -> NDArray[np.float64]:
        """The metric of many paths ``(n,)``, turned so that larger is better; ``-inf`` where there is none."""
        sign = 1.0 if self.goal == "max" else -1.0
        values = [self.measure(path).get(self.metric) for path in paths]
        return np.array([-np.inf if value is None else sign * value for value in values], dtype=np.float64)

    @contextmanager
    def fixed(self) -> Iterator[None]:
        """Inside, the network is in evaluation mode; after it, in training mode again."""
        set_training(self._modules, False)
        try:
            yield
        finally:
            set_training(self._modules, True)

    @contextmanager
    def without_gradients(self) -> Iterator[None]:
        """Inside, nothing is recorded and the network is in evaluation mode; after it, in training mode again."""
        with self.fixed(), torch.no_grad():
            yield

    @abstractmethod
    def memory(self) -> TrainingState:
        """Where the pass over the training data stands."""

    @abstractmethod
    def restore(self, memory: TrainingState) -> None:
        """Inverse of ``memory``."""


def set_training(modules: Iterable[nn.Module], training: bool) -> None:
    """``module.training = training`` for each, without the checks of ``Module.__setattr__``.

    A supernet has thousands of modules, of which a path uses a hundred: ``Module.train`` takes as long as the path.
    """
    for module in modules:
        module.__dict__["training"] = training
