"""Cross entropy of a decoder over a large vocabulary, a few rows of logits at a time."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from naopt.products import times_transposed

_VANISHED = 60.0
"""Nats from which a word's loss is taken from its logits: its share is near the end of float32's range."""
_ROWS, _ELEMENTS = (256, 512), 1 << 20
"""Rows of logits at a time: as many as the width, in these bounds, and more while they are below so many elements."""


def decoder_loss(hidden: Tensor, weight: Tensor, bias: Tensor, targets: Tensor) -> Tensor:
    """Mean cross entropy of ``softmax(hidden @ weight.T + bias)`` in nats; never holds all logits.

    Gradients are made along with the loss, while the logits are at hand. Autograd refuses second derivatives.

    Args:
        hidden: ``(n, h)``.
        weight: ``(words, h)``.
        bias: ``(words,)``.
        targets: ``(n,)`` word indices.

    Returns:
        A scalar.
    """
    arguments = torch.is_grad_enabled(), hidden, weight, bias, targets
    loss: Tensor = DecoderLoss.apply(*arguments)  # type: ignore[no-untyped-call]
    return loss


class DecoderLoss(torch.autograd.Function):
    """``apply`` takes what ``decoder_loss`` takes, and before it whether gradients will be asked for."""

    @staticmethod
    def forward(ctx: Any, keep: bool, hidden: Tensor, weight: Tensor, bias: Tensor, targets: Tensor) -> Tensor:
        """See the class."""
        loss, gradients = _loss(keep, hidden, weight, bias, targets)
        if keep:
            ctx.gradients = gradients
            ctx.save_for_backward(hidden, weight, bias, targets)
        return loss

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        """See the class."""
        gradients, ctx.gradients = ctx.gradients, None
        if gradients is None:
            # The first backward pass gave them away; this is a further one, through a retained graph.
            gradients = _loss(True, *ctx.saved_tensors)[1]
        return None, *(gradient.mul_(upstream) for gradient in gradients), None


def _loss(
    keep: bool, hidden: Tensor, weight: Tensor, bias: Tensor, targets: Tensor
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """The loss and, if they are to be kept, its gradients by ``hidden``, ``weight`` and ``bias``."""
    count, words = len(hidden), len(weight)
    lowest, highest = _ROWS
    at_once = max(min(max(hidden.shape[1], lowest), highest), _ELEMENTS // words)
    chosen = hidden.new_empty(count, 1)
    if keep:
        of_hidden = torch.empty_like(hidden)
        # The bias' gradient comes along as that of one more column. Words stand last, as the product whose second
        # factor has many rows is the fast one.
        extended = torch.cat([hidden, hidden.new_ones(count, 1)], 1)
        of_both = hidden.new_zeros(hidden.shape[1] + 1, words)
    for rows in torch.arange(count).tensor_split(math.ceil(count / at_once)):
        part = slice(int(rows[0]), int(rows[-1]) + 1)
        wanted = targets[part, None]
        share = times_transposed(hidden[part], weight, bias)
        torch.softmax(share, 1, out=share)
        chosen[part] = share.gather(1, wanted)
        if keep:
            share.scatter_(1, wanted, chosen[part] - 1)
            of_hidden[part] = times_transposed(share, weight.t())
            of_both += times_transposed(extended[part].t(), share.t())
    losses = -chosen[:, 0].log()
    vanished = losses > _VANISHED
    if bool(vanished.any()):
        logits = times_transposed(hidden[vanished], weight, bias)
        losses[vanished] = F.cross_entropy(logits, targets[vanished], reduction="none")
    gradients = (of_hidden.div_(count), of_both[:-1].t().div(count), of_both[-1].div(count)) if keep else ()
    return losses.mean(), gradients
