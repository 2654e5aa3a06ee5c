"""Which kernels a process is the sum of, and what its parameters stand for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np

from naopt.latent.kernels import Kernel, Kind

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class KernelSum:
    """A sum of kernels over groups of features.

    Parameters are logarithms: of the weight of each kernel, of the length scale of each group, of the noise variance.

    Attributes:
        of_groups: the kind of kernel that sees each group.
        terms: the groups that each kernel sees, in order; a kernel of several sees the sum of their squared distances.
        linear: how many kernels, the last ones, are linear.
    """

    of_groups: tuple[Kind, ...]
    terms: tuple[range, ...]
    linear: int

    @classmethod
    def over(cls, groups: int, kernel: Kernel, linear: int, product: range) -> KernelSum:
        """Of so many groups, the last ones with linear kernels; those of ``product`` share one."""
        single = [range(at, at + 1) for at in range(groups)]
        first, last = (product.start, product.stop) if product else (groups, groups)
        shared = [product] if product else []
        kinds: list[Kind] = [kernel] * (groups - linear) + ["linear"] * linear
        return cls(tuple(kinds), (*single[:first], *shared, *single[last:]), linear)

    @property
    def kinds(self) -> list[Kind]:
        """By kernel."""
        return [self.of_groups[term.start] for term in self.terms]

    def joined(self, squares: Sequence[Array]) -> list[Array]:
        """What each kernel sees, from squared distances ``(n, m)`` of each group in its length scale."""
        return [reduce(np.add, squares[term.start : term.stop]) for term in self.terms]

    def unpack(self, parameters: Array) -> tuple[Array, Array, float]:
        """Weights ``(kernels,)``, length scales ``(groups,)`` and the noise variance."""
        count, values = len(self.terms), np.exp(parameters)
        return values[:count], values[count:-1], float(values[-1])
