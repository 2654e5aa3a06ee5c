"""The skeleton of NAS-Bench-201 (Dong & Yang 2020, section 2.1)."""

from __future__ import annotations

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from naopt.networks.base import AuxiliaryHead, ChildNetwork, add, arranged, drop_path, initialize
from naopt.networks.operations import BatchNorm, Pool, Preactivated, conv
from naopt.networks.settings import NetworkSettings
from naopt.networks.skeleton import require_cifar
from naopt.spaces import Architecture, NASBench201Space
from naopt.spaces.nasbench201 import EDGES, OPERATIONS


def edge_operation(name: str, channels: int) -> nn.Module:
    """What an edge with the operation ``name`` computes, which is not ``none``."""
    if name == "skip_connect":
        return nn.Identity()
    if name == "avg_pool_3x3":
        return Pool("avg", 3, 1)
    return conv(channels, channels, {"nor_conv_1x1": 1, "nor_conv_3x3": 3}[name])


EdgeStep = tuple[int, int, nn.Module]
"""An edge that is computed: the node where it begins, the one where it ends, and its operation."""


def along_edges(x: Tensor, steps: Iterable[EdgeStep], keep: float = 1.0, *, drop_identities: bool = False) -> Tensor:
    """The last node of a cell, each of whose four nodes is the sum over its incoming edges.

    A node without any is zero. Nodes are rectified once for all edges that begin with a ReLU; sums are in place.

    Args:
        x: the first node, ``(n, channels, h, w)``.
        steps: in the order of ``EDGES``.
        keep: probability that an edge survives drop-path.
        drop_identities: whether identities may be dropped too.

    Returns:
        Of the shape of ``x``.
    """
    states: list[Tensor | None] = [x, None, None, None]
    owned = [False] * 4
    rectified: list[Tensor | None] = [None] * 3
    for source, target, operation in steps:
        y, own = states[source], False
        if y is None:
            y = states[source] = torch.zeros_like(x)
        if isinstance(operation, Preactivated):
            relu = rectified[source]
            if relu is None:
                relu = rectified[source] = y.relu()
            y, own = operation.rectified(relu), True
        elif not isinstance(operation, nn.Identity):
            y = operation(y)
        if keep < 1.0 and (drop_identities or not isinstance(operation, nn.Identity)):
            y, own = drop_path(y, keep), True
        total = states[target]
        if total is None:
            states[target], owned[target] = y, own
        else:
            states[target], owned[target] = add(total, y, owned[target], own), True
    return torch.zeros_like(x) if states[3] is None else states[3]


class DenseCell(nn.Module):
    """Four nodes, each the sum over its incoming edges; an edge with ``none`` carries nothing.

    Args:
        edges: an operation name for each of ``EDGES``.
        channels: of input and output.
        drop_identities: drop-path drops identities too.
    """

    def __init__(self, edges: tuple[str, ...], channels: int, *, drop_identities: bool = False) -> None:
        super().__init__()
        self.drop_identities = drop_identities
        self.edges = nn.ModuleDict(
            {
                f"{a}-{b}": edge_operation(name, channels)
                for (a, b), name in zip(EDGES, edges, strict=True)
                if name != "none"
            }
        )
        # Plain tuples: a module dictionary costs a Python call for each access.
        self._steps: tuple[EdgeStep, ...] = tuple(
            (a, b, self.edges[f"{a}-{b}"]) for a, b in EDGES if f"{a}-{b}" in self.edges
        )

    def forward(self, x: Tensor, keep: float = 1.0) -> Tensor:
        """``(n, channels, h, w)`` to the same shape; ``keep`` as in ``naopt.networks.convolutional.Cell``."""
        return along_edges(x, self._steps, keep, drop_identities=self.drop_identities)


class ResidualReduction(nn.Module):
    """Basic residual block with stride 2; the shortcut is an average pool and a 1x1 convolution."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(conv(in_channels, out_channels, 3, 2), conv(out_channels, out_channels, 3))
        self.shortcut = nn.Conv2d(in_channels, out_channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """``(n, in, h, w)`` to ``(n, out, ceil(h / 2), ceil(w / 2))``."""
        y: Tensor = self.body(x) + self.shortcut(F.avg_pool2d(x, 2, 2, ceil_mode=True))
        return y


class NASBench201Network(ChildNetwork):
    """Stem to F channels, three stages of N cells at F, 2 F and 4 F, residual reductions between them, classifier.

    The benchmark has F = 16 and N = 5. It has neither drop-path nor an auxiliary head; where the settings ask for them
    they work as in ``ConvolutionalNetwork``. ``head_relu`` is without effect, as the benchmark's head always normalises
    and rectifies, and so is ``calibrate_newer``, as its cells have one input.
    """

    def __init__(self, edges: tuple[str, ...], settings: NetworkSettings, in_channels: int, classes: int) -> None:
        super().__init__()
        channels = settings.filters
        self.stem = nn.Sequential(nn.Conv2d(in_channels, channels, 3, padding=1, bias=False), BatchNorm(channels))
        self.stages = nn.ModuleList()
        self.reductions = nn.ModuleList()
        for stage in range(3):
            if stage:
                self.reductions.append(ResidualReduction(channels, 2 * channels))
                channels *= 2
            self.stages.append(
                nn.ModuleList(
                    DenseCell(edges, channels, drop_identities=settings.drop_identities)
                    for _ in range(settings.cells_per_stage)
                )
            )
        self.auxiliary_at = settings.auxiliary_at
        self.auxiliary = AuxiliaryHead(channels, classes) if settings.auxiliary_weight else None
        self.norm = BatchNorm(channels)
        self.dropout = nn.Dropout(settings.dropout) if settings.dropout else None
        self.classifier = nn.Linear(channels, classes)
        self.drop_path_keep = settings.drop_path_keep
        self.cell_count = 3 * settings.cells_per_stage
        initialize(self)

    def outputs(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        """See ``ChildNetwork.outputs``."""
        x = self.stem(arranged(images))
        auxiliary, index = None, 0
        for stage, cells in enumerate(self.stages):
            if stage:
                x = self.reductions[stage - 1](x)
            assert isinstance(cells, nn.ModuleList)
            for at, cell in enumerate(cells):
                here = stage == 2 and at == 0 and self.training
                if here and self.auxiliary_at == "reduction" and self.auxiliary is not None:
                    auxiliary = self.auxiliary(x)
                x = cell(x, self.keep_probability(index, self.cell_count, self.drop_path_keep))
                if here and self.auxiliary_at == "cell" and self.auxiliary is not None:
                    auxiliary = self.auxiliary(x)
                index += 1
        features = self.norm(x).relu().mean((2, 3))
        if self.dropout is not None:
            features = self.dropout(features)
        return self.classifier(features), auxiliary


def build_nasbench201(
    space: NASBench201Space,  # noqa: ARG001
    architecture: Architecture,
    settings: NetworkSettings,
    in_channels: int,
    classes: int,
) -> NASBench201Network:
    """The network of a NAS-Bench-201 cell.

    Raises:
        InputError: another skeleton than that of CIFAR is asked for.
    """
    require_cifar(settings, "cells of NAS-Bench-201")
    edges = tuple(OPERATIONS[token] for token in architecture.tokens)
    return NASBench201Network(edges, settings, in_channels, classes)
