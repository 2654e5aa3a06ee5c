"""Moving embeddings uphill (NAO, Eq. 2)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch
from torch.nn import functional as F

if TYPE_CHECKING:
    from torch import Tensor

    from naopt.latent.model import LatentModel


@dataclass(frozen=True)
class GradientAscent:
    """``h' = h + step * df/dh`` for every state of every architecture at once, then unit length again.

    The step grows from ``first_step`` by ``step_growth``, ``steps`` times in all (footnote 4: from 10 by half of that,
    until the decoded architecture differs); each move starts from the original embedding, as in the official programs.
    With ``scale="unit"`` the gradient of each architecture is divided by its mean length over states, so that a step is
    measured in the length of a state (1) and does not depend on the scale of the predictor.

    The predictor sees the mean of the states, so the gradient for one state falls with their number T. With
    ``states`` given, steps are meant for so many states and multiplied by T over this: a state moves as far as it would
    there.
    """

    first_step: float
    step_growth: float
    steps: int
    scale: Literal["raw", "unit"] = "unit"
    states: int | None = None

    def path(self, model: LatentModel, states: Tensor, moving: Tensor | None = None) -> Iterator[tuple[float, Tensor]]:
        """Steps and moved states ``(n, steps, hidden)``, the smallest step first.

        Args:
            model: whose prediction is climbed.
            states: where from, ``(n, steps, hidden)``.
            moving: which states move, booleans ``(n, steps)``; all if not given.
        """
        gradient = model.gradient(states)
        if self.scale == "unit":
            length = gradient.norm(dim=-1).mean(dim=1).clamp_min(torch.finfo(gradient.dtype).tiny)
            gradient = gradient / length[:, None, None]
        if moving is not None:
            gradient = gradient * moving.unsqueeze(-1)
        factor = 1.0 if self.states is None else states.shape[1] / self.states
        for index in range(self.steps):
            step = factor * (self.first_step + index * self.step_growth)
            yield step, F.normalize(states + step * gradient, dim=-1)
