"""Keeps the training of a supernet on the disk."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from naopt.execution.training_progress import learning_curve
from naopt.files import write_text

if TYPE_CHECKING:
    from naopt.one_shot.trainer import SharedTrainer


class SupernetWatch:
    """Saves state and learning curve now and then.

    Args:
        weights: where the state goes.
        curve: where the figures of the epochs go.
        trainer: of the supernet.
        about: what it is a training of.
        every: seconds between two times, at least; the state after the last epoch is saved in any case.
    """

    def __init__(
        self, weights: Path, curve: Path, trainer: SharedTrainer, about: Mapping[str, Any], every: float
    ) -> None:
        self._weights, self._curve, self._trainer = weights, curve, trainer
        self._about, self._every, self._saved = about, every, time.monotonic()

    def epoch_done(self, figures: Mapping[str, float]) -> None:  # noqa: ARG002
        """An epoch is done."""
        trainer = self._trainer
        if trainer.epoch == trainer.epochs or time.monotonic() - self._saved >= self._every:
            self.save()

    def save(self) -> None:
        """Saves the state where the epoch began."""
        from naopt.training.checkpoint import save_checkpoint

        save_checkpoint(self._weights, self._trainer.epoch_start(), self._about)
        write_text(self._curve, learning_curve(self._trainer.history))
        self._saved = time.monotonic()
