"""Optimisers that touch only what a step computed."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn


class PathOptimiser(torch.optim.Optimizer):
    """An optimiser over all parameters of a supernet, of which a step sees only those of its path.

    What was not computed is not changed: neither by a gradient nor by weight decay nor by its moments, which wait.
    A step costs what the path's parameters cost, however many the supernet has.
    """

    def step_on(self, path: Sequence[nn.Parameter]) -> None:
        """One step on the parameters of ``path`` that have a gradient; clears their gradients."""
        group = self.param_groups[0]
        self.make_ready(path)
        whole, group["params"] = group["params"], list(path)
        try:
            self.step()
        finally:
            group["params"] = whole
        for parameter in path:
            parameter.grad = None

    def make_ready(self, path: Sequence[nn.Parameter]) -> None:
        """Makes what the step needs of parameters that it sees for the first time."""


class PathSGD(PathOptimiser, torch.optim.SGD):
    """SGD on paths."""

    def make_ready(self, path: Sequence[nn.Parameter]) -> None:
        """The fused kernel wants all momenta or none; one of zero is what a first step has."""
        if self.param_groups[0]["momentum"]:
            for parameter in path:
                if parameter.grad is not None and "momentum_buffer" not in self.state[parameter]:
                    self.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)


class PathAdam(PathOptimiser, torch.optim.AdamW):
    """Adam on paths (Kingma & Ba 2015), with decoupled weight decay; every parameter counts its own steps."""
