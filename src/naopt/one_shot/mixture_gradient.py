"""Gradients of the validation loss for the logits of mixtures, after a step of the weights (Liu et al. 2019, DARTS)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

import torch
from torch import Tensor

Loss = Callable[[], Tensor]
"""A loss of the mixture with the logits and weights as they stand, which needs a gradient for both."""

Noise = Callable[[], AbstractContextManager[None]]
"""Contexts in which dropout draws always the same."""

PUBLISHED_LENGTH = 0.01
"""Norm of the change of the weights in the finite difference (Liu et al. 2019, footnote 2)."""


def gradients(loss: Tensor, inputs: Sequence[Tensor], *, again: bool = False) -> list[Tensor]:
    """Gradients for ``inputs``; zeros for what the loss does not depend on.

    ``again``: they have gradients themselves, and what they are computed from is kept.
    """
    return list(torch.autograd.grad(loss, inputs, create_graph=again, allow_unused=True, materialize_grads=True))


def exact_gradient(
    train: Loss, valid: Loss, logits: Sequence[Tensor], weights: Sequence[Tensor], rate: float, noise: Noise
) -> list[Tensor]:
    """``grad_alpha L_valid(w - rate grad_w L_train(w, alpha), alpha)``, by differentiating twice (Eq. 6 and 7).

    The product of ``grad_alpha grad_w L_train`` with a vector is the gradient of an inner product (Pearlmutter 1994).
    What the gradient of the training loss was computed from is kept while the validation loss is computed.

    Args:
        train: the training loss.
        valid: the validation loss.
        logits: alpha.
        weights: w; they are left as they were, to the bit.
        rate: of the virtual step.
        noise: for the training loss.

    Returns:
        Gradients of the shapes of ``logits``.
    """
    with noise():
        slopes = gradients(train(), weights, again=True)
    start = [weight.detach() for weight in weights]
    with _standing(_along(start, [slope.detach() for slope in slopes], -rate), weights):
        found = gradients(valid(), [*logits, *weights])
    first, direction = found[: len(logits)], found[len(logits) :]
    pairs = [(slope, part) for slope, part in zip(slopes, direction, strict=True) if slope.requires_grad]
    if not pairs:
        return first
    heads, parts = zip(*pairs, strict=True)
    second = torch.autograd.grad(heads, logits, parts, allow_unused=True, materialize_grads=True)
    return [g - rate * h for g, h in zip(first, second, strict=True)]


def difference_gradient(
    train: Loss,
    valid: Loss,
    logits: Sequence[Tensor],
    weights: Sequence[Tensor],
    rate: float,
    noise: Noise,
    *,
    length: float = PUBLISHED_LENGTH,
) -> list[Tensor]:
    """The same by the finite difference of Eq. 8, as the authors' program computes it.

    ``w`` is moved either way along the gradient of the validation loss, by ``length / norm`` times it; for the rest see
    ``exact_gradient``.
    """
    start = [weight.detach() for weight in weights]
    with noise():
        slopes = gradients(train(), weights)
    with _standing(_along(start, slopes, -rate), weights):
        found = gradients(valid(), [*logits, *weights])
    first, direction = found[: len(logits)], found[len(logits) :]
    norm = float(torch.linalg.vector_norm(torch.stack([part.norm() for part in direction])))
    if norm == 0:
        return first
    step, ends = length / norm, []
    for signed in (step, -step):
        with noise(), _standing(_along(start, direction, signed), weights):
            ends.append(gradients(train(), logits))
    above, below = ends
    return [g - rate * (a - b) / (2 * step) for g, a, b in zip(first, above, below, strict=True)]


def _along(start: Sequence[Tensor], direction: Sequence[Tensor], by: float) -> list[Tensor]:
    return [origin + by * part for origin, part in zip(start, direction, strict=True)]


@contextmanager
def _standing(values: Sequence[Tensor], weights: Sequence[Tensor]) -> Iterator[None]:
    """Inside, the weights have these values; then they have their own memory again.

    Nothing is written into that memory, so what was recorded before can be differentiated afterwards.
    """
    kept = [weight.data for weight in weights]
    try:
        for weight, value in zip(weights, values, strict=True):
            weight.data = value
        yield
    finally:
        for weight, value in zip(weights, kept, strict=True):
            weight.data = value


def repeatable(device: torch.device) -> Noise:
    """Contexts in which dropout draws what it would draw now; after them the generators stand where they stood.

    The difference of two losses would otherwise be mostly that of their masks.
    """
    devices = [device] if device.type == "cuda" else []
    cpu, others = torch.get_rng_state(), [torch.cuda.get_rng_state(device) for device in devices]

    @contextmanager
    def again() -> Iterator[None]:
        with torch.random.fork_rng(devices=devices):
            torch.set_rng_state(cpu)
            for device, state in zip(devices, others, strict=True):
                torch.cuda.set_rng_state(state, device)
            yield

    return again
