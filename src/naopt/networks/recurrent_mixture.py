"""Recurrent cells whose nodes mix predecessors and activations (Liu et al. 2019, DARTS, and its program)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from naopt.errors import InputError

Function = Callable[[Tensor], Tensor]

_FUNCTIONS: Mapping[str, Function] = {
    "tanh": torch.tanh,
    "relu": torch.relu,
    "identity": lambda x: x,
    "sigmoid": torch.sigmoid,
}


def mixed_function(name: str) -> Function:
    """An activation that autograd differentiates. Raises ``InputError`` for one that has no such form."""
    if name not in _FUNCTIONS:
        raise InputError("activation", name, f"cannot be mixed; those that can are {', '.join(_FUNCTIONS)}")
    return _FUNCTIONS[name]


@dataclass(frozen=True, slots=True)
class MixedNode:
    """A node as a sum over predecessors and activations.

    Attributes:
        sources: its predecessors, k of them.
        terms: for every matrix ``(k, h, p h)``, one of each predecessor, the activations of its products and their
            weights ``(k,)``.
    """

    sources: tuple[int, ...]
    terms: tuple[tuple[Tensor, tuple[tuple[Function, Tensor], ...]], ...]


def run_mixture(
    drive: Tensor,
    hidden: Tensor,
    state_weight: Tensor,
    nodes: Sequence[MixedNode],
    outputs: Sequence[int],
    *,
    state_mask: Tensor | None,
    highway: bool,
    normalises: bool,
) -> Tensor:
    """All steps of a chunk, by autograd's own operations.

    Args:
        drive: ``(t, b, p h)``, products of the inputs.
        hidden: ``(b, h)``, the output before the first step.
        state_weight: ``(h, p h)``.
        nodes: 1 ... B.
        outputs: nodes whose mean is the output.
        state_mask: ``(b, h)``, multiplied by what products read of states.
        highway: the equation.
        normalises: every state is normalised by its batch, without scale and offset.

    Returns:
        ``(t, b, h)``.
    """

    def state(old: Tensor, product: Tensor, function: Function) -> Tensor:
        if not highway:
            return function(product)
        gate, value = product.chunk(2, -1)
        return old + torch.sigmoid(gate) * (function(value) - old)

    def finished(x: Tensor) -> Tensor:
        return F.batch_norm(x, None, None, training=True) if normalises else x

    found = []
    for step in drive.unbind(0):
        read = hidden if state_mask is None else hidden * state_mask
        states = [finished(state(hidden, step + read @ state_weight, torch.tanh))]
        for node in nodes:
            sources = torch.stack([states[source] for source in node.sources])
            read, total = sources if state_mask is None else sources * state_mask, torch.zeros_like(hidden)
            for matrix, functions in node.terms:
                product = torch.bmm(read, matrix)
                for function, weights in functions:
                    total = total + torch.einsum("k,kbh->bh", weights, state(sources, product, function))
            states.append(finished(total))
        hidden = torch.stack([states[node] for node in outputs]).mean(0)
        found.append(hidden)
    return torch.stack(found)
