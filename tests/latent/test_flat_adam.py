"""One vector of all parameters against the optimiser that has them in pieces."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from naopt.latent.flat_adam import FlatAdam

RATES = [0.1, 0.05, 0.02, 0.1]
CLIP, DECAY = 0.5, 0.01


def network() -> nn.ModuleDict:
    """Two layers, one that no loss here depends on, and a parameter that is not to be learnt."""
    torch.manual_seed(0)
    parts = nn.ModuleDict({"a": nn.Linear(3, 4), "b": nn.Linear(4, 2), "unused": nn.Linear(2, 2)})
    fixed = nn.Linear(2, 2)
    for parameter in fixed.parameters():
        parameter.requires_grad_(False)
    parts["fixed"] = fixed
    return parts


def loss(parts: nn.ModuleDict, x: Tensor) -> Tensor:
    result: Tensor = parts["fixed"](parts["b"](torch.tanh(parts["a"](x)))).square().sum()
    return result


@pytest.mark.parametrize("join", [True, False])
def test_steps_are_those_of_adam_with_a_clipped_gradient(join: bool) -> None:
    ours, theirs = network().double(), network().double()
    before = copy.deepcopy(ours.state_dict())
    flat = FlatAdam(ours.parameters(), RATES[0], DECAY, CLIP, join)
    adam = torch.optim.Adam(theirs.parameters(), lr=RATES[0], weight_decay=DECAY)
    lengths = []
    for rate in RATES:
        x = 3 * torch.randn(5, 3, dtype=torch.float64)
        flat.learning_rate = adam.param_groups[0]["lr"] = rate
        flat.step(loss(ours, x))
        adam.zero_grad()
        loss(theirs, x).backward()  # type: ignore[no-untyped-call]
        lengths.append(torch.nn.utils.clip_grad_norm_(theirs.parameters(), CLIP).item())
        adam.step()
    assert max(lengths) > CLIP
    for (name, one), other in zip(ours.state_dict().items(), theirs.state_dict().values(), strict=True):
        assert one.numpy() == pytest.approx(other.numpy(), rel=1e-10)
        assert torch.equal(one, before[name]) == name.startswith(("unused", "fixed"))


def test_afterwards_parameters_stand_by_themselves() -> None:
    layer = nn.Linear(3, 4)
    values = copy.deepcopy(layer.state_dict())
    flat = FlatAdam(layer.parameters(), 0.1, 0.0, CLIP)
    flat.step(layer(torch.ones(1, 3)).sum())
    joined = layer.weight.untyped_storage().nbytes()
    moved = copy.deepcopy(layer.state_dict())
    flat.release()
    assert layer.weight.untyped_storage().nbytes() == 12 * 4 < joined
    assert all(parameter.grad is None for parameter in layer.parameters())
    assert all(torch.equal(value, moved[name]) for name, value in layer.state_dict().items())
    assert not any(torch.equal(value, moved[name]) for name, value in values.items())
    FlatAdam(layer.parameters(), 0.1, 0.0, CLIP).step(layer(torch.ones(1, 3)).sum())
    assert not any(torch.equal(value, moved[name]) for name, value in layer.state_dict().items())
