"""Adam with clipped gradients, on one vector that holds all parameters."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn


class FlatAdam:
    """Adam (Kingma & Ba 2015) with weight decay in the gradient, whose norm over all parameters is clipped.

    The first step joins the parameters into one vector, and their gradients into another: norm, clipping and update are
    then a few calls, not a few for each of them. Parameters that the first loss does not depend on stay as they are,
    without decay, as they do in ``torch.optim.Adam``.

    Args:
        parameters: what the losses are minimised over.
        learning_rate: of the steps; the attribute may be changed between them.
        weight_decay: what gradients have in addition, times the parameter.
        clip_norm: longest gradient.
        join: whether to join them; cuDNN wants the weights of a recurrent layer in a piece of memory of their own.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        learning_rate: float,
        weight_decay: float,
        clip_norm: float,
        join: bool = True,
    ) -> None:
        self.learning_rate, self.weight_decay, self.clip_norm, self.join = learning_rate, weight_decay, clip_norm, join
        self._parameters = list(parameters)
        self._optimiser: torch.optim.Adam | None = None
        self._minimised: list[Tensor] = []

    def step(self, loss: Tensor) -> None:
        """Derives a loss and moves the parameters. Every loss has to depend on the parameters that the first does."""
        if self._optimiser is None:
            for parameter in self._parameters:
                parameter.grad = None
        else:
            self._optimiser.zero_grad(set_to_none=not self.join)
        loss.backward()  # type: ignore[no-untyped-call]
        if self._optimiser is None:
            self._optimiser = self._begin()
        torch.nn.utils.clip_grad_norm_(self._minimised, self.clip_norm)
        self._optimiser.param_groups[0]["lr"] = self.learning_rate
        self._optimiser.step()

    def _begin(self) -> torch.optim.Adam:
        used = [parameter for parameter in self._parameters if parameter.grad is not None]
        self._minimised = list(used)
        if self.join:
            flat = torch.cat([parameter.detach().reshape(-1) for parameter in used])
            flat.grad = torch.cat([parameter.grad.reshape(-1) for parameter in used if parameter.grad is not None])
            sizes = [parameter.numel() for parameter in used]
            for parameter, part, gradient in zip(
                used, torch.split(flat, sizes), torch.split(flat.grad, sizes), strict=True
            ):
                parameter.data, parameter.grad = part.view_as(parameter), gradient.view_as(parameter)
            self._minimised = [flat]
        return torch.optim.Adam(self._minimised, lr=self.learning_rate, weight_decay=self.weight_decay, fused=True)

    def release(self) -> None:
        """Gives each parameter memory of its own again, and forgets the gradients."""
        for parameter in self._parameters:
            parameter.data, parameter.grad = parameter.detach().clone(), None
