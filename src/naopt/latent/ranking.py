"""Losses of a predictor that learns the order of its targets instead of their values.

All take scores ``(members, n)``, targets ``(n,)`` and weights ``(members, n)`` (how often a member's bootstrap sample
holds each architecture) and return one number, the mean over members. A member without a pair that counts adds nothing.
Targets that differ by ``threshold`` or less count as equal, so that noise of measurement teaches no order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F

if TYPE_CHECKING:
    from torch import Tensor

    from naopt.latent.settings import LatentSettings


def better(targets: Tensor, threshold: float) -> Tensor:
    """Booleans ``(n, n)``: whether target ``i`` is above target ``j`` by more than ``threshold``."""
    return targets.unsqueeze(1) - targets.unsqueeze(0) > threshold


def logistic_loss(scores: Tensor, targets: Tensor, weights: Tensor, threshold: float = 0.0) -> Tensor:
    """Mean of ``softplus(-(s_i - s_j))`` over all pairs in which ``i`` is better (RankNet, Burges et al. 2005).

    TNAO's abstract names no formula; a sum over pairs would grow with the square of the batch, so we take the mean.
    """
    margins = scores.unsqueeze(2) - scores.unsqueeze(1)
    return _pair_mean(F.softplus(-margins), better(targets, threshold), weights)


def hinge_loss(scores: Tensor, targets: Tensor, weights: Tensor, threshold: float = 0.0, margin: float = 0.1) -> Tensor:
    """Mean of ``max(0, margin - (s_i - s_j))`` over all pairs in which ``i`` is better."""
    margins = scores.unsqueeze(2) - scores.unsqueeze(1)
    return _pair_mean(F.relu(margin - margins), better(targets, threshold), weights)


def listmle_loss(scores: Tensor, targets: Tensor, weights: Tensor, threshold: float = 0.0) -> Tensor:
    """Negative log-likelihood of the whole order under Plackett and Luce, per architecture (ListMLE, Xia et al. 2008).

    Mean over ``i`` of ``log sum_j exp(s_j) - s_i``, where ``j`` goes over ``i`` and all that are not better than it.
    Without equal targets that is ListMLE; equal ones stand in each other's sums (Breslow's rule), so that the loss does
    not depend on their order. An architecture with weight ``w`` counts as ``w`` equal ones.
    """
    rivals = ~better(targets, threshold).T
    logits = (scores + weights.log()).unsqueeze(1).masked_fill(~rivals, -torch.inf)
    # Where a member has none of an architecture's rivals, the architecture itself has no weight either.
    counted = weights > 0
    sums = torch.logsumexp(logits.masked_fill(~counted.unsqueeze(2), 0.0), dim=2)
    total = (weights * torch.where(counted, sums - scores, 0.0)).sum(dim=1)
    return (total / weights.sum(dim=1).clamp_min(1.0)).mean()


def draw_pairs(targets: Tensor, threshold: float, count: int) -> Tensor:
    """``count`` pairs ``(i, j)`` in which ``i`` is better, ``(count, 2)``: uniform, with replacement.

    From Torch's global generator. None at all, ``(0, 2)``, if no pair is unequal.
    """
    pairs = better(targets, threshold).nonzero()
    drawn = torch.randint(len(pairs), (count,), device=pairs.device) if len(pairs) else torch.zeros(0, dtype=torch.long)
    return pairs[drawn.to(pairs.device)]


def bpr_loss(scores: Tensor, weights: Tensor, pairs: Tensor) -> Tensor:
    """Mean of ``-log sigmoid(s_i - s_j)`` over given pairs ``(p, 2)`` (BPR, Rendle et al. 2009).

    The same term as ``logistic_loss``, which takes every pair of the batch in every step; BPR learns from pairs that
    are drawn (``draw_pairs``; as many as there are architectures), so its mean is an estimate of the other.
    """
    first, second = pairs[:, 0], pairs[:, 1]
    terms = -F.logsigmoid(scores[:, first] - scores[:, second])
    return _mean(terms, weights[:, first] * weights[:, second])


def prediction_loss(settings: LatentSettings) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """The predictor's part of the loss as the settings name it: a function of scores, targets and weights."""
    name, threshold, share = settings.loss, settings.pair_threshold, settings.mse_share

    def squared(scores: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        return (weights * (scores - targets).square()).mean()

    def ranking(scores: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        if name == "logistic":
            return logistic_loss(scores, targets, weights, threshold)
        if name == "hinge":
            return hinge_loss(scores, targets, weights, threshold, settings.margin)
        if name == "listmle":
            return listmle_loss(scores, targets, weights, threshold)
        return bpr_loss(scores, weights, draw_pairs(targets, threshold, len(targets)))

    def mixed(scores: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        return share * squared(scores, targets, weights) + (1 - share) * ranking(scores, targets, weights)

    if name == "mse":
        return squared
    return mixed if share > 0 else ranking


def _pair_mean(terms: Tensor, pairs: Tensor, weights: Tensor) -> Tensor:
    """Mean of terms ``(members, n, n)`` over the pairs ``(n, n)``, each counted as often as the weights say."""
    return _mean(terms.flatten(1), (weights.unsqueeze(2) * weights.unsqueeze(1) * pairs).flatten(1))


def _mean(terms: Tensor, counts: Tensor) -> Tensor:
    """Weighted mean of terms, both ``(members, k)``, then over members; 0 for a member without weight."""
    return ((terms * counts).sum(dim=1) / counts.sum(dim=1).clamp_min(1.0)).mean()
