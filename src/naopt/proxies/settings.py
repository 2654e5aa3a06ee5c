"""Settings of zero-cost proxies. Imports no torch."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from naopt.configuration import Settings


class ProxySettings(Settings):
    """What networks are shown.

    Attributes:
        inputs: training examples of the task, as training sees them (``data``), or ``noise``: standard normal pixels
            with random labels, random words.
        batch_size: examples of one batch; of text sequences, of a chunk's length.
        batches: how many batches ``zico`` sees; the other proxies see the first one.
        repeats: how often ``zen`` draws weights and noise; the mean counts.
    """

    inputs: Literal["data", "noise"] = "data"
    batch_size: int = Field(default=64, ge=2)
    batches: int = Field(default=2, ge=2)
    repeats: int = Field(default=1, ge=1)
