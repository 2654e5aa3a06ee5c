"""Weight-sharing searchers: what one of them says, and the registry."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from naopt.one_shot.settings import OneShotSettings
from naopt.registry import Registry
from naopt.searchers.base import Proposal
from naopt.spaces import Architecture, SearchSpace
from naopt.training.state import TrainingState

if TYPE_CHECKING:
    from pathlib import Path

    from naopt.networks.supernet import SharedWeights
    from naopt.one_shot.path_trainer import PathTrainer

one_shot: Registry[type[OneShotSearcher]] = Registry("weight-sharing searcher", "naopt.one_shot")
"""Names on the command line to weight-sharing searchers; they share one set of names with ``naopt.searchers``."""


Memory = TrainingState
"""What a searcher has to remember: tensors by name, and facts that JSON can hold."""


class OneShotSearcher(ABC):
    """Decides which paths of a supernet are trained, learns from what they give, and names candidates in the end.

    Contract. The trainer calls ``begin`` once, before anything is trained or restored; ``step`` for every training
    step, which makes one optimiser step of the shared weights; ``end_epoch`` after each pass over the training data;
    and ``candidates`` when all is trained. Randomness comes from ``rng`` (and torch's default generators) alone. What a
    searcher needs to go on between any two of these calls is in ``memory``, so that a search that was killed goes on
    bit for bit.

    Args:
        space: where to search.
        settings: an instance of the class's ``settings_type``.
        seed: non-negative.

    Attributes:
        rng: all its randomness, saved and restored by the trainer.
    """

    settings_type: ClassVar[type[OneShotSettings]] = OneShotSettings

    def __init__(self, space: SearchSpace, settings: OneShotSettings, *, seed: int) -> None:
        self.space, self.settings, self.seed = space, settings, seed
        self.rng = np.random.default_rng([seed, 1])
        self._shared: SharedWeights | None = None

    def begin(self, trainer: PathTrainer) -> None:
        """Makes what depends on the supernet. Raises ``InputError`` for a supernet that does not serve."""
        self._shared = trainer.shared

    def rate(self, done: float) -> float:
        """Learning rate of the shared weights when a fraction of the training is done: 1 first and 0 last, a cosine."""
        return (1 + math.cos(math.pi * done)) / 2

    def sample(self) -> Architecture:
        """The architecture of one training step; by default a random one, see ``draws`` of the settings."""
        drawn = [self.space.sample(self.rng) for _ in range(self.settings.draws)]
        if len(drawn) == 1 or self._shared is None:
            return drawn[0]
        return max(drawn, key=self._read)

    def _read(self, architecture: Architecture) -> int:
        """How many tensors of shared weights a path reads that can learn."""
        assert self._shared is not None
        self._shared.choose(self._shared.path(architecture))
        return sum(parameter.requires_grad for parameter in self._shared.path_parameters())

    def step(self, trainer: PathTrainer) -> float:
        """One training step on the next batch; gives its loss. By default on one sampled path (ENAS)."""
        return trainer.train_path(trainer.path(self.sample()))

    def end_epoch(self, trainer: PathTrainer) -> dict[str, float]:  # noqa: ARG002
        """Learns after a pass over the training data; gives figures for the learning curve by name."""
        return {}

    @abstractmethod
    def candidates(self, count: int, trainer: PathTrainer) -> Sequence[Proposal]:
        """At most ``count`` distinct architectures, the most promising first, to be measured with shared weights."""

    def leave(self, directory: Path) -> None:  # noqa: B027
        """Writes into the directory of the run, when all is trained, what later searches may begin with."""

    def memory(self) -> Memory:
        """What the searcher has to remember beside ``rng``."""
        return Memory()

    def restore(self, memory: Memory) -> None:  # noqa: B027
        """Inverse of ``memory``."""
