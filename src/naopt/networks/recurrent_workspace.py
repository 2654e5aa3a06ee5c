"""Buffers of the recurrent cell, kept from one chunk of text to the next, and the views of them that each step uses.

Shapes: T steps, B sequences, H units, k nodes of a group, P parts of a node's product (gate and value, or value).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from naopt.networks.recurrent_activations import Activation, activations
from naopt.networks.recurrent_schedule import FIRST, Group, Run, Schedule

_BLOCK = 1 << 20
"""Elements of states whose factors are computed at once: few enough to stay in the cache."""


@dataclass(frozen=True, slots=True)
class Part:
    """The nodes of a group that share an activation: places ``start`` up to ``stop`` among the group's k.

    Attributes:
        activation: what it computes.
        whole: whether these are all of the group's nodes.
        start: see above.
        stop: see above.
        value: ``(B, j, H)``, where its values are kept.
    """

    activation: Activation
    whole: bool
    start: int
    stop: int
    value: Tensor

    def write(self, z: Tensor) -> None:
        """Activates what concerns it of ``(B, k, H)``."""
        self.activation.write(z if self.whole else z[:, self.start : self.stop], self.value)


@dataclass(frozen=True, slots=True)
class GroupStep:
    """One group at one step.

    Attributes:
        source: ``(B, H)``, the state that the group reads.
        previous: ``(B, 1, H)``, the same.
        read: ``(B, H)``, the state as the product takes it, masked.
        gate: ``(B, k, H)``; None without gates.
        value: ``(B, k, H)``, activated.
        parts: of the group, by activation.
        states: ``(B, k, H)``, the group's states; without gates the same as ``value``.
        product: ``(B, k, P, H)``, where gate and value are kept, and later the gradient of the product.
        flat: ``(B, k P H)``, the same.
        slopes: ``(B, k, 1, H)``, gradients of the group's states.
        of_source: ``(B, H)``, gradient of the source's state.
        through: per node its gradient and one minus its gate, ``(B, H)`` each; empty without gates.
    """

    source: Tensor
    previous: Tensor
    read: Tensor
    gate: Tensor | None
    value: Tensor
    parts: tuple[Part, ...]
    states: Tensor
    product: Tensor
    flat: Tensor
    slopes: Tensor
    of_source: Tensor
    through: tuple[tuple[Tensor, Tensor], ...]


@dataclass(frozen=True, slots=True)
class Step:
    """All of one step.

    Attributes:
        first: the first state, as a group; its ``source``, ``previous`` and ``of_source`` mean nothing.
        groups: the others, in order of computation.
        outputs: states ``(m, B, H)`` whose mean is the output, or None where they are not one piece of memory.
        states: ``(n, B, H)``, all.
    """

    first: GroupStep
    groups: tuple[GroupStep, ...]
    outputs: Tensor | None
    states: Tensor


class Workspace:
    """Buffers for chunks of up to ``steps`` steps; what of it a chunk uses is overwritten by the next.

    Attributes:
        states: ``(T, n, B, H)``.
        products: of the first state and of each group, ``(T, B, k, P, H)``.
        reads: likewise, ``(T, B, H)``.
        slopes: ``(n, B, H)``, gradients of one step's states.
        block: steps whose factors are computed at once, beginning at a multiple of that.
        left: ``(block, n, B, H)``, one minus the gates of these steps; None without gates.
        views: by step.
    """

    def __init__(self, schedule: Schedule, gated: bool, steps: int, batch: int, units: int, like: Tensor) -> None:
        self.steps, self.batch, self.dtype, self.device = steps, batch, like.dtype, like.device
        nodes, parts = len(schedule.rows), 2 if gated else 1
        self.states = like.new_empty(steps, nodes, batch, units)
        sizes = [1, *(group.size for group in schedule.groups)]
        self.products = [like.new_empty(steps, batch, size, parts, units) for size in sizes]
        self.reads = [like.new_empty(steps, batch, units) for _ in sizes]
        self.slopes = like.new_empty(nodes, batch, units)
        self.block = min(steps, max(1, _BLOCK // self.slopes.numel()))
        self.left = like.new_empty(self.block, nodes, batch, units) if gated else None
        self.output_slopes = self.slopes[1:] if schedule.mean_of_all else None
        first = self._group(FIRST, 0)
        groups = [self._group(group, place) for place, group in enumerate(schedule.groups, 1)]
        states = self.states.unbind(0)
        outputs = self.states[:, 1:].unbind(0) if schedule.mean_of_all else [None] * steps
        self.views = [
            Step(first[step], tuple(group[step] for group in groups), outputs[step], states[step])
            for step in range(steps)
        ]

    def fits(self, steps: int, batch: int, like: Tensor) -> bool:
        """Whether the buffers can be used for such a chunk."""
        return (self.batch, self.dtype, self.device) == (batch, like.dtype, like.device) and steps <= self.steps

    def _group(self, group: Group, place: int) -> list[GroupStep]:
        """A group at all steps, whose views are made together: one by one they would cost several times as much."""
        own = self.states[:, group.first : group.last].transpose(1, 2)
        source, product = self.states[:, group.source], self.products[place]
        kept = product.unbind(3)
        slopes = self.slopes[group.first : group.last]
        value, gates = own, None
        through: list[tuple[tuple[Tensor, Tensor], ...]] = [()] * self.block
        if self.left is not None:
            value, gates = kept[1], kept[0].unbind(0)
            left, nodes = self.left[:, group.first : group.last], slopes.unbind(0)
            through = [tuple(zip(nodes, step.unbind(0), strict=True)) for step in left.unbind(0)]
        parts = [self._part(group, run, value) for run in group.runs]
        by_nodes, of_source = slopes.transpose(0, 1)[:, :, None], self.slopes[group.source]
        columns = source, source[:, :, None], self.reads[place], value, own, product, product.flatten(2)
        sources, previous, reads, values, states, products, flat = (column.unbind(0) for column in columns)
        return [
            GroupStep(
                source=sources[step],
                previous=previous[step],
                read=reads[step],
                gate=None if gates is None else gates[step],
                value=values[step],
                parts=tuple(part[step] for part in parts),
                states=states[step],
                product=products[step],
                flat=flat[step],
                slopes=by_nodes,
                of_source=of_source,
                through=through[step % self.block],
            )
            for step in range(self.steps)
        ]

    def _part(self, group: Group, run: Run, value: Tensor) -> list[Part]:
        activation, whole = activations.get(run.activation), len(group.runs) == 1
        values = value[:, :, run.start : run.stop].unbind(0)
        return [Part(activation, whole, run.start, run.stop, part) for part in values]


class WorkspacePool:
    """Workspaces that wait to be used again. A copy of a pool, and a pool read from a file, is empty."""

    def __init__(self, schedule: Schedule, gated: bool, units: int) -> None:
        self.schedule, self.gated, self.units = schedule, gated, units
        self._free: list[Workspace] = []

    def __deepcopy__(self, memo: dict[int, Any]) -> WorkspacePool:
        return WorkspacePool(self.schedule, self.gated, self.units)

    def __reduce__(self) -> tuple[type[WorkspacePool], tuple[Schedule, bool, int]]:
        return WorkspacePool, (self.schedule, self.gated, self.units)

    def take(self, steps: int, batch: int, like: Tensor) -> Workspace:
        """A workspace for ``steps`` steps of ``batch`` sequences, of the type and device of ``like``."""
        for place, workspace in enumerate(self._free):
            if workspace.fits(steps, batch, like):
                return self._free.pop(place)
        with torch.inference_mode(False):
            return Workspace(self.schedule, self.gated, steps, batch, self.units, like)

    def give_back(self, workspace: Workspace) -> None:
        """Offers a workspace for reuse; of those that wait only the latest two are kept."""
        self._free = [workspace, *self._free[:1]]
