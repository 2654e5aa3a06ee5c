"""Optimisers of paths against torch's own, on the parameters of each path alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from naopt.one_shot.optimiser import PathAdam, PathOptimiser, PathSGD

PATHS: list[list[int]] = [[0, 1], [1, 2], [0, 1], [2, 0], [2], [1, 2]]
"""Of four parameters: the last is on no path, and 1 and 2 begin later than 0."""
SGD: list[dict[str, Any]] = [
    {"momentum": 0.9, "weight_decay": 0.1},
    {"momentum": 0.9, "weight_decay": 0.1, "nesterov": True},
    {"momentum": 0.0, "weight_decay": 0.1},
]


def weights() -> list[nn.Parameter]:
    torch.manual_seed(0)
    return [nn.Parameter(torch.randn(3, 2, dtype=torch.float64)) for _ in range(4)]


def gradients(step: int, count: int) -> list[Tensor]:
    torch.manual_seed(100 + step)
    return [torch.randn(3, 2, dtype=torch.float64) for _ in range(count)]


def walk(optimiser: PathOptimiser, parameters: Sequence[nn.Parameter]) -> None:
    for step, path in enumerate(PATHS):
        for index, gradient in zip(path, gradients(step, len(path)), strict=True):
            parameters[index].grad = gradient
        optimiser.param_groups[0]["lr"] = 0.1 / (step + 1)
        optimiser.step_on([parameters[index] for index in path])


def alone(kind: type[torch.optim.Optimizer], index: int, options: dict[str, Any]) -> Tensor:
    """What torch's optimiser makes of one parameter, which only sees the steps of its own paths."""
    parameter = weights()[index]
    optimiser = kind([parameter], lr=1.0, **options)  # type: ignore[call-arg]
    for step, path in enumerate(PATHS):
        if index in path:
            parameter.grad = gradients(step, len(path))[path.index(index)]
            optimiser.param_groups[0]["lr"] = 0.1 / (step + 1)
            optimiser.step()
    return parameter.detach()


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("options", SGD, ids=["momentum", "nesterov", "plain"])
def test_sgd_on_paths_is_sgd_on_each_of_their_parameters(options: dict[str, Any], fused: bool) -> None:
    parameters = weights()
    walk(PathSGD(parameters, 1.0, fused=fused, **options), parameters)
    for index in range(3):
        torch.testing.assert_close(parameters[index].detach(), alone(torch.optim.SGD, index, options))
    assert torch.equal(parameters[3], weights()[3]), "what is on no path is not decayed either"
    assert all(parameter.grad is None for parameter in parameters)


@pytest.mark.parametrize("fused", [True, False])
def test_adam_counts_the_steps_of_each_parameter(fused: bool) -> None:
    parameters = weights()
    optimiser = PathAdam(parameters, 1.0, fused=fused, weight_decay=0.1)
    walk(optimiser, parameters)
    for index in range(3):
        torch.testing.assert_close(parameters[index].detach(), alone(torch.optim.AdamW, index, {"weight_decay": 0.1}))
        assert optimiser.state[parameters[index]]["step"] == sum(index in path for path in PATHS)
    assert torch.equal(parameters[3], weights()[3])
    assert parameters[3] not in optimiser.state


def test_what_has_no_gradient_waits() -> None:
    parameters = weights()
    optimiser = PathSGD(parameters, 1.0, 0.9, weight_decay=0.1)
    parameters[0].grad = torch.ones(3, 2, dtype=torch.float64)
    optimiser.step_on(parameters[:2])
    assert torch.equal(parameters[1], weights()[1])
    assert list(optimiser.state) == [parameters[0]]
    assert len(optimiser.param_groups[0]["params"]) == 4, "the group is whole again"


def test_a_step_that_fails_leaves_the_group_whole() -> None:
    parameters = weights()
    optimiser = PathSGD(parameters, 1.0)
    parameters[0].grad = torch.ones(3, 2, dtype=torch.float64)
    optimiser.param_groups[0]["lr"] = "fast"
    with pytest.raises(TypeError):
        optimiser.step_on(parameters[:1])
    assert len(optimiser.param_groups[0]["params"]) == 4
