"""Bounded logits of ENAS' controllers (Bello et al. 2017; Pham et al. 2018)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Bounds:
    """``logit <- c tanh(logit / T)``, so that no choice is ever certain.

    Of two choices of a position none is more than ``exp(2 c)`` times as probable as the other.

    Attributes:
        temperature: T.
        tanh_constant: c where an earlier node is chosen; 0 leaves the logits as they are, but for T.
        operation_tanh_reduce: what c is divided by where an operation is chosen.
    """

    temperature: float = 5.0
    tanh_constant: float = 2.5
    operation_tanh_reduce: float = 1.0

    @property
    def operation_constant(self) -> float:
        """The constant where an operation is chosen."""
        return self.tanh_constant / self.operation_tanh_reduce

    def references(self, logits: Tensor) -> Tensor:
        """Logits of earlier nodes, bounded."""
        return _bounded(logits / self.temperature, self.tanh_constant)

    def operations(self, logits: Tensor) -> Tensor:
        """Logits of operations, bounded."""
        return _bounded(logits / self.temperature, self.operation_constant)


def _bounded(scaled: Tensor, constant: float) -> Tensor:
    return constant * scaled.tanh() if constant > 0 else scaled
