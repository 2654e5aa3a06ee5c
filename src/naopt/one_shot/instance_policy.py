"""How InstaNAS' controller learns: rewards of paths, and the gradient of their expectation (Cheng et al. 2020)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

if TYPE_CHECKING:
    from naopt.networks.costs.insta import OperationCosts
    from naopt.one_shot.instanas_settings import InstaNASSettings

LEAST_LIKELY = -4.0
"""Log-likelihoods below count as this: an image that is hopeless would drown the others."""


def relative_costs(masks: Tensor, costs: OperationCosts) -> Tensor:
    """Costs ``(...)`` of paths ``(..., blocks, operations)``, booleans or probabilities, as parts of the whole's.

    The controller's own are included, so the whole meta-graph costs a little more than 1.
    """
    table = torch.tensor(costs.operations, dtype=torch.float32, device=masks.device)
    return (costs.fixed + costs.controller + (masks * table).sum((-2, -1))) / costs.whole


def parabola(costs: Tensor, low: Tensor, high: Tensor, power: float = 1.0) -> Tensor:
    """``max(0, -(l - lb)(l - ub) / ((ub - lb)^2 / 4))`` to a power: 1 amid the window, 0 outside (the paper's r_L)."""
    return ((costs - low) * (high - costs) * 4 / (high - low) ** 2).clamp_min(0.0) ** power


def rewards(
    logits: Tensor, labels: Tensor, costs: Tensor, thrift: Tensor, settings: InstaNASSettings, *, with_costs: bool
) -> Tensor:
    """What paths are worth ``(n,)``.

    Args:
        logits: that they gave, ``(n, classes)``.
        labels: ``(n,)``.
        costs: of the paths, ``(n,)``, relative.
        thrift: of the images, ``(n,)``.
        settings: of the reward.
        with_costs: subtract the price, where the reward is one; its gradient is known without sampling.
    """
    if settings.reward == "price":
        likelihood = -F.cross_entropy(logits.float(), labels, reduction="none")
        worth = likelihood.nan_to_num(LEAST_LIKELY).clamp_min(LEAST_LIKELY)
        return worth - prices(thrift, settings) * costs if with_costs else worth
    middle = settings.window_first + (settings.window_last - settings.window_first) * thrift
    half = settings.window_width / 2
    within = parabola(costs, middle - half, middle + half, settings.latency_power)
    correct = logits.argmax(1) == labels
    return torch.where(correct, settings.positive_weight * within, settings.negative_weight)


def prices(thrift: Tensor, settings: InstaNASSettings) -> Tensor:
    """Nats for the whole meta-graph's cost."""
    return settings.price_low * (settings.price_high / settings.price_low) ** thrift


def explored(logits: Tensor, exploration: float) -> Tensor:
    """Probabilities ``a p + (1 - a)(1 - p)``: none is ever certain."""
    return 1 - exploration + (2 * exploration - 1) * torch.sigmoid(logits)


def straight_through(logits: Tensor) -> Tensor:
    """Decisions of 0 and 1, drawn, whose gradient is that of the probability at the noise that was drawn."""
    uniform = torch.rand_like(logits).clamp(1e-6, 1 - 1e-6)
    soft = torch.sigmoid(logits + torch.log(uniform) - torch.log1p(-uniform))
    return (soft > 0.5).float() + soft - soft.detach()


def log_probability(masks: Tensor, probabilities: Tensor) -> Tensor:
    """Of paths ``(..., blocks, operations)``: the sum over their independent decisions."""
    return torch.where(masks, probabilities, 1 - probabilities).log().sum((-2, -1))


def mean_entropy(probabilities: Tensor) -> Tensor:
    """Of a decision, in nats."""
    p = probabilities.clamp(1e-6, 1 - 1e-6)
    return -(p * p.log() + (1 - p) * (1 - p).log()).mean()


def policy_loss(
    probabilities: Tensor, drawn: Tensor, advantages: Tensor, priced: Tensor | None, entropy_weight: float
) -> Tensor:
    """What the controller descends; a scalar.

    ``-mean(A log p(u)) + mean(price * E[cost]) - beta H``, all but the entropy divided by the deviation of the
    advantages.

    Args:
        probabilities: ``(n, blocks, operations)``, with gradients.
        drawn: ``(samples, n, blocks, operations)``, boolean, as they were drawn: what repairs them belongs to what is
            rewarded, not to the policy.
        advantages: ``(samples, n)``.
        priced: ``(n,)``, expected costs times prices, with gradients.
        entropy_weight: beta.
    """
    gain = (advantages * log_probability(drawn, probabilities)).mean()
    if priced is not None:
        gain = gain - priced.mean()
    scale = advantages.std().clamp_min(1e-3)
    return -gain / scale - entropy_weight * mean_entropy(probabilities)
