"""How the cells of a supernet normalise (Liu et al. 2019, DARTS, and its program)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from naopt.networks.operations import BatchNorm, Pool


@dataclass(frozen=True, slots=True)
class CellNorms:
    """Normalisation within the cells of a supernet; by default that of the children.

    Attributes:
        affine: normalisations learn a scale and an offset; else these stay at 1 and 0, so that no operation can rescale
            what a mixture weighs.
        pools: pools are followed by a normalisation without scale and offset, which children do not have.
    """

    affine: bool = True
    pools: bool = False

    def applied(self, operation: nn.Module, channels: int) -> nn.Module:
        """A candidate operation with these normalisations; itself, changed where it has to be."""
        if self.pools and isinstance(operation, Pool):
            return NormalisedPool(operation, channels)
        if not self.affine:
            fix_norms(operation)
        return operation


AS_CHILDREN = CellNorms()


class NormalisedPool(nn.Module):
    """A pool and a normalisation that learns nothing.

    Args:
        pool: what is normalised.
        channels: of input and output.
    """

    def __init__(self, pool: Pool, channels: int) -> None:
        super().__init__()
        self.pool, self.norm = pool, BatchNorm(channels)
        fix_norms(self)

    def forward(self, x: Tensor) -> Tensor:
        """``(n, channels, h, w)`` to the shape that the pool gives."""
        y: Tensor = self.norm(self.pool(x))
        return y


def fix_norms(module: nn.Module) -> None:
    """Scales and offsets of all normalisations of a module stay what they are.

    They remain parameters, so that a supernet's state has the same names, and a child inherits them.
    """
    for layer in module.modules():
        if isinstance(layer, BatchNorm):
            for parameter in layer.parameters():
                parameter.requires_grad_(False)
