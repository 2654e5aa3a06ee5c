"""Proxies by which rectified units are active for which images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from naopt.proxies.registry import Proxy, proxies

if TYPE_CHECKING:
    from naopt.proxies.probe import Probe


def naswot(probe: Probe) -> float:
    """``log det (K + 1)``, where K_ij counts the rectified units that agree on images i and j (Mellor et al. 2021).

    The identity is ours: an eigenvalue of nought, for images that no unit tells apart, counts as 1 instead of giving
    an infinite logarithm. Others are in the thousands, and do not notice. A network that rectifies nothing has 0.
    """
    import torch

    codes = probe.first.codes
    assert codes is not None
    identity = torch.eye(len(codes), dtype=torch.float64, device=codes.device)
    return float(torch.linalg.slogdet(codes + identity).logabsdet)


proxies.register("naswot")(
    Proxy(
        "log-determinant of how many rectified units agree on pairs of images",
        "Mellor et al. 2021, NASWOT",
        naswot,
        records=("codes",),
    )
)
