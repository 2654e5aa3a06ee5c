"""Rewards of paths and the gradient of their expectation, against closed forms and the enumeration of all paths."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from naopt.networks.build import build_network
from naopt.networks.costs import describe, totals
from naopt.networks.costs.insta import OperationCosts, count_operations
from naopt.networks.settings import NetworkSettings
from naopt.one_shot.instanas_settings import InstaNASSettings
from naopt.one_shot.instance_policy import (
    LEAST_LIKELY,
    explored,
    log_probability,
    mean_entropy,
    parabola,
    policy_loss,
    prices,
    relative_costs,
    rewards,
    straight_through,
)
from naopt.spaces import Architecture, InstaSpace

SPACE = InstaSpace(4, 2, "mb3e1+mb3e2+mb5e3")
SMALL = NetworkSettings(filters=3)
IMAGE, CLASSES = (3, 9, 7), 5


def test_the_parabola_is_one_amid_its_window_and_zero_at_its_bounds_and_outside() -> None:
    low, high = torch.tensor(0.2), torch.tensor(0.6)
    costs = torch.tensor([0.4, 0.2, 0.6, 0.1, 0.9, 0.3, 0.5])
    expected = torch.tensor([1.0, 0.0, 0.0, 0.0, 0.0, 0.75, 0.75])
    assert torch.allclose(parabola(costs, low, high), expected, atol=1e-6)
    assert torch.allclose(parabola(costs, low, high, 2.0), expected**2, atol=1e-6)


def test_a_path_costs_what_its_child_does() -> None:
    """Multiply-adds of 20 random children, in closed form and as their layers do them."""
    controller = 0.01
    table = count_operations(SPACE, SMALL, IMAGE, CLASSES, controller)
    whole = SPACE.architecture([1] * len(SPACE.positions))
    for seed in range(20):
        child = SPACE.sample(np.random.default_rng(seed))
        mask = torch.tensor(child.tokens).view(4, 3) > 0
        found = float(relative_costs(mask, table)) - controller / table.whole
        assert found == pytest.approx(closed_form(child) / closed_form(whole), rel=1e-5)
        assert found == pytest.approx(counted(child) / counted(whole), rel=1e-5)


def closed_form(architecture: Architecture) -> int:
    return totals(describe(SPACE, architecture, SMALL, IMAGE, CLASSES)).macs


def counted(architecture: Architecture) -> int:
    network, found = build_network(SPACE, architecture, SMALL, IMAGE[0], CLASSES).eval(), [0]

    def count(module: nn.Conv2d | nn.Linear, _: object, output: Tensor) -> None:
        found[0] += module.weight.numel() * output[0, 0].numel()

    convolve = torch.conv2d

    def counting(x: Tensor, weight: Tensor, *others: object, **named: object) -> Tensor:
        y: Tensor = convolve(x, weight, *others, **named)  # type: ignore[call-overload]
        found[0] += weight.numel() * y[0, 0].numel()
        return y

    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(count)
    with pytest.MonkeyPatch.context() as patch, torch.no_grad():
        patch.setattr(torch, "conv2d", counting)  # blocks do not call their layers as modules
        network(torch.zeros(1, *IMAGE))
    return found[0]


def test_costs_of_many_paths_and_of_probabilities() -> None:
    table = OperationCosts("MMAC", 2.0, 0.5, ((1.0, 2.0), (2.0, 3.0)))
    masks = torch.rand(5, 6, 2, 2) < 0.5
    expected = 2.5 + (masks * torch.tensor(table.operations)).sum((2, 3))
    assert torch.allclose(relative_costs(masks, table), expected / 10)
    # Of probabilities it is the expectation.
    probabilities = torch.rand(2, 2)
    every = torch.stack(list(all_paths(2, 2)))
    chances = log_probability(every, probabilities).exp()
    assert float(chances.sum()) == pytest.approx(1)
    expectation = float((chances * relative_costs(every, table)).sum())
    assert float(relative_costs(probabilities, table)) == pytest.approx(expectation, rel=1e-5)


def all_paths(blocks: int, operations: int) -> list[Tensor]:
    every = itertools.product([False, True], repeat=blocks * operations)
    return [torch.tensor(path).view(blocks, operations) for path in every]


def test_rewards_by_hand() -> None:
    logits = torch.tensor([[2.0, 0.0], [2.0, 0.0], [0.0, 90.0], [math.nan, 0.0]])
    labels, costs = torch.tensor([0, 1, 0, 0]), torch.tensor([0.3, 0.45, 0.5, 1.0])
    settings = InstaNASSettings.parse({"price_low": 0.1, "price_high": 10})
    thrift = torch.tensor([0.0, 0.5, 1.0, 0.0])
    worth = torch.tensor([-math.log(1 + math.exp(-2)), -math.log(1 + math.exp(2)), LEAST_LIKELY, LEAST_LIKELY])
    given = (logits, labels, costs, thrift, settings)
    assert torch.allclose(rewards(*given, with_costs=False), worth)
    price = torch.tensor([0.1, 1.0, 10.0, 0.1])
    assert torch.allclose(prices(thrift, settings), price)
    assert torch.allclose(rewards(*given, with_costs=True), worth - price * costs)
    # Windows from 0.6 to 1 at thrift 0, from 0.2 to 0.6 at thrift 1; only who is right gets anything.
    paper = InstaNASSettings.parse({"preset": "paper", "window_first": 0.8, "window_last": 0.4, "negative_weight": -1})
    right = torch.tensor([[2.0, 0.0]] * 4)
    found = rewards(
        right,
        torch.tensor([0, 0, 0, 1]),
        torch.tensor([0.8, 0.5, 0.5, 0.8]),
        torch.tensor([0.0, 0.0, 1.0, 0.0]),
        paper,
        with_costs=True,
    )
    assert torch.allclose(found, torch.tensor([30.0, 0.0, 30 * 0.75, -1.0]), atol=1e-4)


def test_nothing_is_certain_and_halves_are_the_least_certain() -> None:
    logits = torch.tensor([-50.0, 0.0, 50.0, 1.0])
    p = torch.sigmoid(logits)
    assert torch.allclose(explored(logits, 0.8), 0.8 * p + 0.2 * (1 - p))
    assert torch.allclose(explored(logits, 1.0), p)
    assert float(mean_entropy(torch.tensor([0.5, 0.5]))) == pytest.approx(math.log(2))
    assert float(mean_entropy(torch.tensor([0.0, 1.0]))) == pytest.approx(0, abs=1e-4)


def test_straight_through_draws_what_the_logits_say_and_has_a_gradient() -> None:
    torch.manual_seed(0)
    logits, count = torch.tensor([-2.0, 0.0, 1.0], requires_grad=True), 20_000
    decisions = straight_through(logits.expand(count, 3))
    assert torch.allclose(decisions, decisions.round(), atol=1e-6)
    assert torch.allclose(decisions.mean(0), torch.sigmoid(logits), atol=0.015)
    (gradient,) = torch.autograd.grad(decisions.mean(0).sum(), logits)
    # The expectation of y (1 - y) for y = sigmoid(logit + logistic noise), by a fine grid.
    uniform = (torch.arange(100_000) + 0.5) / 100_000
    soft = torch.sigmoid(logits.detach() + torch.logit(uniform)[:, None])
    assert torch.allclose(gradient, (soft * (1 - soft)).mean(0), atol=0.003)


def test_the_gradient_is_that_of_the_expected_reward() -> None:
    """Three decisions, so all eight paths can be enumerated; what they are worth is any table."""
    torch.manual_seed(1)
    logits, count = torch.randn(2, 1, 3, requires_grad=True), 100_000
    every, table = torch.stack(all_paths(1, 3)), 4 * torch.rand(2, 8)
    probabilities = explored(logits, 0.9)
    expected = (log_probability(every[:, None], probabilities).exp() * table.t()).sum(0).mean()
    (exact,) = torch.autograd.grad(expected, logits, retain_graph=True)
    drawn = torch.bernoulli(probabilities.detach().expand(count, 2, 1, 3)) > 0
    number = (drawn * torch.tensor([4, 2, 1])).sum((2, 3))
    assert torch.equal(every[number], drawn)
    worth = table[torch.arange(2), number]
    advantages = worth - (worth.sum(0) - worth) / (count - 1)
    scale = advantages.std()
    loss = policy_loss(probabilities, drawn, advantages, None, 0.0)
    (found,) = torch.autograd.grad(loss, logits, retain_graph=True)
    assert torch.allclose(-found * scale, exact, atol=0.01)
    assert exact.abs().max() > 0.08
    # Prices and entropy need no samples: their part is exact.
    costs = OperationCosts("MMAC", 1.0, 0.0, ((1.0, 2.0, 3.0),))
    priced = torch.tensor([0.5, 2.0]) * relative_costs(probabilities, costs)
    (of_price,) = torch.autograd.grad(priced.mean(), logits, retain_graph=True)
    (of_entropy,) = torch.autograd.grad(mean_entropy(probabilities), logits, retain_graph=True)
    loss = policy_loss(probabilities, drawn, advantages, priced, 0.7)
    (both,) = torch.autograd.grad(loss, logits)
    assert torch.allclose(both - found, of_price / scale - 0.7 * of_entropy, atol=1e-6)
    chance = torch.sigmoid(logits.detach())
    by_hand = (
        0.8 * chance * (1 - chance) * torch.tensor(costs.operations) / 7 * torch.tensor([0.25, 1.0])[:, None, None]
    )
    assert torch.allclose(of_price, by_hand, atol=1e-6)
