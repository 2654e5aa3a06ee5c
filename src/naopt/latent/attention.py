"""Products and additive attention of the decoder, with derivatives written by hand.

Additive attention needs no hyperbolic tangent for every pair of positions: with ``a = exp(2 q)`` and ``b = exp(2 k)``
holds ``tanh(q + k) = 1 - 2 / (1 + a b)``, exponentials of queries and keys alone, and for their pairs a product and a
reciprocal. Nothing of the size of all pairs is kept; the way back computes it again. All of this can be derived once.
Shapes: N sequences, C of them at a time, T queries, S keys, D channels.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from naopt.products import times_transposed

_LARGEST = 40.0
"""Beyond, ``exp(2 x)`` leaves the range of float32."""

_CACHED = 200_000
"""Numbers that are worked on at a time, for a cache of 1 MiB."""
_SHORTEST = 1e-12
"""What is shorter has no direction."""


def product(x: Tensor, weight_EK: Tensor) -> Tensor:
    """``x @ weight.T`` of inputs ``(..., K)``, ``(..., E)``: by the faster of the libraries that can multiply."""
    result: Tensor = _Product.apply(x, weight_EK, False)  # type: ignore[no-untyped-call]
    return result


def tanh_product(x: Tensor, weight_EK: Tensor) -> Tensor:
    """``tanh(x @ weight.T)`` of inputs ``(..., K)``, ``(..., E)``."""
    result: Tensor = _Product.apply(x, weight_EK, True)  # type: ignore[no-untyped-call]
    return result


def additive_scores(query_NTD: Tensor, key_NSD: Tensor, energy_D: Tensor) -> Tensor:
    """``sum_d energy_d tanh(query_ntd + key_nsd)``, ``(N, T, S)`` (Bahdanau et al. 2015)."""
    ends = [end.item() for side in (query_NTD, key_NSD) for end in torch.aminmax(side.detach())]
    if min(ends) < -_LARGEST or max(ends) > _LARGEST:
        mixed: Tensor = torch.tanh(query_NTD.unsqueeze(2) + key_NSD.unsqueeze(1)) @ energy_D
        return mixed
    scores: Tensor = _AdditiveScores.apply(query_NTD, key_NSD, energy_D)  # type: ignore[no-untyped-call]
    return scores


def unit_length(x: Tensor) -> Tensor:
    """``x / ||x||`` along the last axis, like ``torch.nn.functional.normalize``."""
    result: Tensor = _UnitLength.apply(x)  # type: ignore[no-untyped-call]
    return result


class _UnitLength(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        scale = torch.linalg.vector_norm(x, dim=-1, keepdim=True).clamp_min_(_SHORTEST).reciprocal_()
        result: Tensor = x * scale
        ctx.save_for_backward(result, scale)
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (g,) = gradients
        unit, scale = ctx.saved_tensors
        along = torch.linalg.vecdot(g, unit).unsqueeze(-1)
        return torch.addcmul(g, unit, along, value=-1).mul_(scale)


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight_EK: Tensor, squashed: bool) -> Tensor:
        rows_RK = x.reshape(-1, x.shape[-1])
        result_RE = times_transposed(rows_RK, weight_EK)
        if squashed:
            _tanh(result_RE)
        ctx.shape = x.shape
        ctx.save_for_backward(rows_RK, weight_EK, result_RE if squashed else None)
        return result_RE.view(*x.shape[:-1], -1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor, None]:
        rows_RK, weight_EK, result_RE = ctx.saved_tensors
        g_RE = gradients[0].reshape(-1, len(weight_EK))
        if result_RE is not None:
            g_RE = torch.addcmul(g_RE, g_RE, result_RE.square(), value=-1)
        of_x = times_transposed(g_RE, weight_EK.t()).view(ctx.shape) if ctx.needs_input_grad[0] else None
        # The library is faster the fewer rows the result has.
        if len(weight_EK) <= rows_RK.shape[1]:
            return of_x, times_transposed(g_RE.t(), rows_RK.t()), None
        return of_x, times_transposed(rows_RK.t(), g_RE.t()).t(), None


def _tanh(x: Tensor) -> None:
    """In place. On CPUs by NumPy, whose tanh is vectorised and takes a tenth of the time of torch's."""
    if x.device.type == "cpu":
        array = x.numpy()
        np.tanh(array, out=array)
    else:
        x.tanh_()


class _AdditiveScores(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, query_NTD: Tensor, key_NSD: Tensor, energy_D: Tensor) -> Tensor:
        a_NTD, b_NSD = (2 * query_NTD).exp_(), (2 * key_NSD).exp_()
        ctx.save_for_backward(a_NTD, b_NSD, energy_D)
        scores_NTS = a_NTD.new_empty(*a_NTD.shape[:2], b_NSD.shape[1])
        for part, r_CTSD in _reciprocals(a_NTD, b_NSD):
            torch.mv(r_CTSD.view(-1, len(energy_D)), -2 * energy_D, out=scores_NTS[part].view(-1))
        return scores_NTS.add_(energy_D.sum())

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        g_NTS = gradients[0].contiguous()
        a_NTD, b_NSD, energy_D = ctx.saved_tensors
        of_query_NTD, of_key_NSD, weighted_D = (
            torch.empty_like(a_NTD),
            torch.empty_like(b_NSD),
            torch.zeros_like(energy_D),
        )
        # d tanh = 4 r (1 - r); the 4 and the energies come in at the end.
        for part, r_CTSD in _reciprocals(a_NTD, b_NSD):
            weighted_D.addmv_(r_CTSD.view(-1, len(energy_D)).t(), g_NTS[part].view(-1))
            torch.addcmul(r_CTSD, r_CTSD, r_CTSD, value=-1, out=r_CTSD).mul_(g_NTS[part].unsqueeze(-1))
            torch.sum(r_CTSD, 2, out=of_query_NTD[part])
            torch.sum(r_CTSD, 1, out=of_key_NSD[part])
        scale_D = 4 * energy_D
        return of_query_NTD.mul_(scale_D), of_key_NSD.mul_(scale_D), g_NTS.sum() - 2 * weighted_D


def _reciprocals(a_NTD: Tensor, b_NSD: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """``1 / (1 + a b)`` of all pairs, ``(C, T, S, D)`` of so many sequences at a time as stay in the cache.

    Each is in the memory of the one before.
    """
    count, pairs = len(a_NTD), (a_NTD.shape[1], *b_NSD.shape[1:])
    size = min(count, max(1, _CACHED // math.prod(pairs)))
    r_CTSD, one = a_NTD.new_empty(size, *pairs), a_NTD.new_ones(())
    for start in range(0, count, size):
        part = slice(start, min(start + size, count))
        out = r_CTSD[: part.stop - start]
        yield part, torch.addcmul(one, a_NTD[part].unsqueeze(2), b_NSD[part].unsqueeze(1), out=out).reciprocal_()
