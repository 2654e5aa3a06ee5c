"""Shared weights that know what children cost by the table of an instance-aware search."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from naopt.one_shot.evaluator import SharedWeightsEvaluator

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from naopt.problem import Costs
    from naopt.spaces import Architecture

COST = "relative_cost"
"""Metric of static children: what they cost by the search's table, without a controller."""


class _Table:
    """Costs by the table that the instance-aware search pays by: known, so they need no query."""

    metrics: Collection[str] = (COST,)

    def __init__(self, price: Callable[[Architecture], float]) -> None:
        self._price = price

    def of(self, architectures: Sequence[Architecture]) -> Mapping[str, NDArray[np.float64]]:
        """See ``Costs``."""
        return {COST: np.array([self._price(each) for each in architectures])}


class PricedEvaluator(SharedWeightsEvaluator):
    """Measures with shared weights, and knows these costs."""

    price: Callable[[Architecture], float]

    def costs(self) -> Costs:
        """See ``Evaluator``."""
        return _Table(self.price)
