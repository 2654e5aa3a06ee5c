"""What each operation of a meta-graph costs: the look-up table of InstaNAS. Imports no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from naopt.networks.costs.describe import describe, inverted_residual_layers
from naopt.networks.costs.layers import Layer, Map, Plan, totals
from naopt.networks.settings import NetworkSettings
from naopt.spaces import InstaSpace


@dataclass(frozen=True, slots=True)
class OperationCosts:
    """Costs of a meta-graph's parts for one image, as numbers of one unit.

    A path costs ``fixed`` and the sum of its operations. Costs are relative to those of the whole meta-graph, all
    operations active, without a controller.

    Attributes:
        unit: ``MMAC`` (millions of multiply-adds) or ``ms``.
        fixed: stem, head and classifier.
        controller: what decides.
        operations: of each block, each operation.
    """

    unit: str
    fixed: float
    controller: float
    operations: tuple[tuple[float, ...], ...]

    @property
    def whole(self) -> float:
        """Of the meta-graph with all operations active."""
        return self.fixed + sum(map(sum, self.operations))

    def of(self, tokens: Sequence[int]) -> float:
        """Of a path, in the unit, without a controller."""
        return self.fixed + sum(cost for cost, on in zip(chain(*self.operations), tokens, strict=True) if on)

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> OperationCosts:
        """From what ``dataclasses.asdict`` gives, also where it has been JSON."""
        return cls(**{**values, "operations": tuple(map(tuple, values["operations"]))})

    @property
    def cheapest(self) -> tuple[int, ...]:
        """For each block the cheapest operation, the first of equal ones."""
        return tuple(row.index(min(row)) for row in self.operations)


def needed_operations(space: InstaSpace, costs: OperationCosts) -> tuple[int | None, ...]:
    """For each block that cannot be skipped its cheapest operation, which is active where no other is."""
    return tuple(None if skippable else index for skippable, index in zip(space.skippable, costs.cheapest, strict=True))


def count_operations(
    space: InstaSpace,
    settings: NetworkSettings,
    image: Map,
    classes: int,
    controller: float,
    price: Callable[[Sequence[Layer]], float] | None = None,
    unit: str = "MMAC",
) -> OperationCosts:
    """Costs in closed form: multiply-adds, or what ``price`` says of layers.

    Args:
        space: of the meta-graph.
        settings: its F and head.
        image: ``(channels, height, width)``.
        classes: number of classes.
        controller: its cost, in the unit.
        price: from layers to a number.
        unit: of it.
    """
    price = price or (lambda layers: totals(layers).macs / 1e6)
    height, width = image[1:]
    operations = []
    for shape in space.shapes(settings.filters):
        row = []
        for operation in space.operations:
            plan = Plan((shape.inputs, height, width))
            inverted_residual_layers(plan, 0, operation, shape)
            row.append(price(plan.layers))
        operations.append(tuple(row))
        height, width = -(-height // shape.stride), -(-width // shape.stride)
    tokens = [int(not skippable) for skippable in space.skippable for _ in space.operations]
    least = space.architecture(tokens)
    layers = describe(space, least, settings, image, classes)
    rest = sum(sum(row) for row, skippable in zip(operations, space.skippable, strict=True) if not skippable)
    return OperationCosts(unit, price(layers) - rest, controller, tuple(operations))
