"""Additive attention without a hyperbolic tangent for every pair of positions.

With ``a = exp(2 q)`` and ``b = exp(2 k)`` holds ``tanh(q + k) = 1 - 2 / (1 + a b)``: exponentials of queries and keys
alone, and for their pairs one product, one sum and one reciprocal. Nothing of the size of all pairs is kept; the way
back computes it again. Shapes: N sequences, T queries, S keys, D channels.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

_LARGEST = 40.0
"""Beyond, ``exp(2 x)`` leaves the range of float32."""


def additive_scores(query_NTD: Tensor, key_NSD: Tensor, energy_D: Tensor) -> Tensor:
    """``sum_d energy_d tanh(query_ntd + key_nsd)``, ``(N, T, S)`` (Bahdanau et al. 2015); can be derived once."""
    if max(query_NTD.detach().abs().max().item(), key_NSD.detach().abs().max().item()) > _LARGEST:
        mixed: Tensor = torch.tanh(query_NTD.unsqueeze(2) + key_NSD.unsqueeze(1)) @ energy_D
        return mixed
    scores: Tensor = _AdditiveScores.apply(query_NTD, key_NSD, energy_D)  # type: ignore[no-untyped-call]
    return scores


class _AdditiveScores(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, query_NTD: Tensor, key_NSD: Tensor, energy_D: Tensor) -> Tensor:
        a_NTD, b_NSD = (2 * query_NTD).exp_(), (2 * key_NSD).exp_()
        ctx.save_for_backward(a_NTD, b_NSD, energy_D)
        scores_NTS = a_NTD.new_empty(*a_NTD.shape[:2], b_NSD.shape[1])
        r_NSD, doubled_D = torch.empty_like(b_NSD), -2 * energy_D
        for t in range(a_NTD.shape[1]):
            _reciprocal(a_NTD[:, t : t + 1], b_NSD, r_NSD)
            scores_NTS[:, t] = r_NSD @ doubled_D
        return scores_NTS.add_(energy_D.sum())

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        (g_NTS,) = gradients
        a_NTD, b_NSD, energy_D = ctx.saved_tensors
        of_query_NTD, of_key_NSD = torch.empty_like(a_NTD), torch.zeros_like(b_NSD)
        weighted_D = torch.zeros_like(energy_D)
        r_NSD = torch.empty_like(b_NSD)
        flat_RD = r_NSD.view(-1, r_NSD.shape[-1])
        # d tanh = 4 r (1 - r); the 4 and the energies come in at the end.
        g_TNS = g_NTS.transpose(0, 1).contiguous()
        for t, g_NS in enumerate(g_TNS):
            _reciprocal(a_NTD[:, t : t + 1], b_NSD, r_NSD)
            weighted_D += g_NS.view(-1) @ flat_RD
            torch.addcmul(r_NSD, r_NSD, r_NSD, value=-1, out=r_NSD)
            of_query_NTD[:, t] = torch.bmm(g_NS.unsqueeze(1), r_NSD).squeeze(1)
            of_key_NSD.addcmul_(r_NSD, g_NS.unsqueeze(-1))
        scale_D = 4 * energy_D
        return of_query_NTD.mul_(scale_D), of_key_NSD.mul_(scale_D), g_NTS.sum() - 2 * weighted_D


def _reciprocal(a_N1D: Tensor, b_NSD: Tensor, out_NSD: Tensor) -> None:
    """``1 / (1 + a b)``, into ``out``."""
    torch.mul(a_N1D, b_NSD, out=out_NSD)
    out_NSD.add_(1).reciprocal_()
