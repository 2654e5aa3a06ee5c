"""Epochs in which only the shared weights learn."""

from __future__ import annotations

from pydantic import Field

from naopt.one_shot.settings import OneShotSettings


class WarmupSettings(OneShotSettings):
    """Settings of searchers that learn which paths are good while the shared weights are trained."""

    warmup: float = Field(0.2, ge=0, lt=1)
    """The share of the epochs, rounded down to whole ones, in which only the shared weights are trained: what untrained
    weights say about architectures is noise."""

    def warming_up(self, epoch: int) -> bool:
        """Whether an epoch (0 is the first) is one of these."""
        return epoch < int(self.warmup * self.epochs)
