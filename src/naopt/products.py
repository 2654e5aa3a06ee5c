"""Matrix products of float32 on CPUs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

_WORTH_ONEDNN = 2_500_000
"""Floating point operations from which oneDNN's product pays for its start, which takes some 12 us against 1 us."""


def _onednn() -> Callable[..., Tensor] | None:
    """The product ``a @ b.T`` of oneDNN, of float32 on CPUs, if this build of torch has it.

    ``torch.mm`` calls MKL, which leaves half of the vector width unused on some processors: on an AMD EPYC with
    AVX-512 it reaches 90 GFLOP/s a core, oneDNN 200.
    """
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return None
    # By name: no public function of torch reaches oneDNN's product of dense float32 tensors.
    operator: Any = getattr(torch.ops.mkldnn, "_linear_pointwise", None)
    return None if operator is None else operator.default


_LINEAR = _onednn()


def times_transposed(a: Tensor, b: Tensor, bias: Tensor | None = None) -> Tensor:
    """``a @ b.T + bias``. Gradients do not pass through it.

    Which library multiplies depends on shapes, type and device only, so equal calls give equal bits.

    Args:
        a: ``(n, k)``, contiguous or the transpose of a contiguous tensor.
        b: ``(m, k)``, likewise.
        bias: ``(m,)``.

    Returns:
        ``(n, m)``.
    """
    large = 2 * a.shape[0] * a.shape[1] * b.shape[0] >= _WORTH_ONEDNN
    if large and _LINEAR is not None and a.dtype == torch.float32 and a.device.type == "cpu":
        return _LINEAR(a, b, bias, "none", [], "")
    return torch.mm(a, b.t()) if bias is None else torch.addmm(bias, a, b.t())
