"""Proxies by the gradient of the output with respect to the images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from naopt.proxies.registry import Proxy, proxies

if TYPE_CHECKING:
    from torch import Tensor

    from naopt.proxies.probe import Probe

_SMALL = 1e-5
"""k of the published score."""


def jacob_cov(probe: Probe) -> float:
    """``-sum_i log(v_i + k) + 1 / (v_i + k)`` over eigenvalues of the correlations of images' gradients.

    Mellor et al. 2020, the first version of the paper. The gradient is that of the sum of the logits. Of a batch the
    first images count, half as many as one has numbers: more of them always correlate (a batch of 64 on digits of 8x8).
    """
    import torch

    jacobian = probe.first.jacobian
    assert jacobian is not None
    values = (
        torch.linalg.eigvalsh(correlations(jacobian[: max(2, jacobian.shape[1] // 2)].double())).clamp_min(0) + _SMALL
    )
    return -float((values.log() + 1 / values).sum())


def correlations(rows: Tensor) -> Tensor:
    """Pearson's correlations ``(n, n)`` of rows ``(n, m)``; constant rows correlate fully, and with no other row."""
    import torch

    centred = rows - rows.mean(1, keepdim=True)
    norms = centred.norm(dim=1, keepdim=True)
    constant = (norms == 0).squeeze(1)
    unit = centred / torch.where(norms == 0, 1.0, norms)
    return unit @ unit.T + torch.outer(constant, constant)


proxies.register("jacob_cov")(
    Proxy(
        "how uncorrelated the images' input gradients are",
        "Mellor et al. 2020 (first version)",
        jacob_cov,
        records=("jacobian",),
    )
)
