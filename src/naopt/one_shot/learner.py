"""What a distribution over architectures that learns by gradients has to remember, and what it says about itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from naopt.latent.controller import Controller

_ENTROPY_SAMPLES = 64


def learner_tensors(parameters: Sequence[nn.Parameter], optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Parameters and the state of their optimiser (one whose state is tensors, like Adam's), by name."""
    tensors = {f"parameter.{index}": parameter.detach() for index, parameter in enumerate(parameters)}
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{name}": value for name, value in state.items()}
    return tensors


def restore_learner(
    parameters: Sequence[nn.Parameter], optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]
) -> None:
    """Inverse of ``learner_tensors``."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        part, _, rest = key.partition(".")
        index, _, name = rest.partition(".")
        if part == "parameter":
            parameters[int(index)].data.copy_(tensor)
        elif part == "optimizer":
            state.setdefault(int(index), {})[name] = tensor.clone()
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})


@torch.no_grad()
def mean_entropy(controller: Controller, rng: np.random.Generator) -> float:
    """Entropy of a controller in nats per architecture: exact where its positions are independent.

    Elsewhere an estimate without bias: the sum of its positions' entropies, averaged over 64 samples.
    """
    tokens = np.array(controller.sample(_ENTROPY_SAMPLES, rng), dtype=np.int64)
    return float(controller(tokens)[1].mean())
