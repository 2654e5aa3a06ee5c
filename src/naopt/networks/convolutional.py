"""Convolutional cells and the networks of them (NAO, section 2 and appendix; official programs)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from naopt.networks.base import AuxiliaryHead, ChildNetwork, add, arranged, dense_gradient, drop_path, initialize
from naopt.networks.operations import BatchNorm, FactorizedReduce, Preactivated, conv, conv_layers, operations
from naopt.networks.settings import NetworkSettings
from naopt.networks.skeleton import Place, plan
from naopt.spaces import Architecture, CellSpec, ConvCellSpace


class CellPath:
    """What a cell computes, with modules that are its own (``Cell``) or lent to it (a supernet's).

    The two inputs are first brought to ``channels``: the older one by ReLU and ``FactorizedReduce`` if the cell before
    this one was a reduction, and either by ReLU, 1x1 convolution and normalisation if it has other channels (PyTorch
    port) or, the newer, as ``calibrate_newer`` says. Strides are on branches from the two inputs only. An
    input that no node consumes is part of the output; in a reduction cell through ``FactorizedReduce``.

    Each state is rectified once for all branches that begin with a ReLU, and a node's sum is computed in place of a
    branch.

    Attributes:
        place: where the cell stands.
        older: calibrates the older input; ``None`` where nothing has to.
        newer: likewise the newer one.
        newer_again: once more.
        sources: the two inputs of each node.
        output_ends: what the output joins.
        unused: reduces an input that no node consumes, by its number.
        steps: operation of each branch, node by node; ``None`` for the input itself.
        unread: states that nothing but the output reads, so that they may be rectified in place.
    """

    place: Place
    older: Preactivated | None
    newer: Preactivated | None
    newer_again: Preactivated | None
    sources: tuple[tuple[int, int], ...]
    output_ends: tuple[int, ...]
    unused: Mapping[str, nn.Module] | nn.ModuleDict
    steps: tuple[nn.Module | None, ...]
    unread: frozenset[int]

    def forward(self, older: Tensor, newer: Tensor, keep: float = 1.0) -> Tensor:
        """Output ``(n, out_channels, h', w')`` from the outputs of the two cells before.

        ``keep`` is the probability that a branch survives drop-path; branches that are plain identities always do
        (TensorFlow program), unless ``drop_identities`` is set (PyTorch port).
        """
        states = self._inputs(older, newer)
        rectified: dict[int, Tensor] = {}
        steps = iter(self.steps)
        drops_identities = self.place.drop_identities
        for sources in self.sources:
            total, owned = None, False
            for source in sources:
                step, x, own = next(steps), states[source], False
                if step is not None:
                    if isinstance(step, Preactivated):
                        if source not in rectified:
                            rectified[source] = x.relu()
                        x, own = step.rectified(rectified[source]), True
                    else:
                        x = step(x)
                if keep < 1.0 and (step is not None or drops_identities):
                    x, own = drop_path(x, keep), True
                total, owned = (x, own) if total is None else (add(total, x, owned, own), True)
            assert total is not None
            states.append(total)
        return self._joined(states, rectified)

    def _inputs(self, older: Tensor, newer: Tensor) -> list[Tensor]:
        """The two inputs as the nodes read them."""
        states = [
            _calibrated(self.older, older, self.place.rectified_older),
            _calibrated(self.newer, newer, self.place.rectified_newer),
        ]
        if self.newer_again is not None:
            states[1] = self.newer_again(states[1])
        return states

    def _joined(self, states: list[Tensor], rectified: dict[int, Tensor]) -> Tensor:
        """The output, from all states and the ReLUs of some of them."""
        for end, reduce in self.unused.items():
            states[int(end)] = reduce(states[int(end)])
        ends = [states[end] for end in self.output_ends]
        if self.place.rectify:
            # One by one: the gradient of a ReLU of the whole would come in slices.
            ends = [
                rectified[end] if end in rectified else x.relu_() if end in self.unread else x.relu()
                for end, x in zip(self.output_ends, ends, strict=True)
            ]
        else:
            ends = [dense_gradient(x) for x in ends]
        return torch.cat(ends, 1) if len(ends) > 1 else ends[0]


def _calibrated(calibrate: Preactivated | None, x: Tensor, rectified: bool) -> Tensor:
    if calibrate is None:
        return x
    return calibrate.rectified(x) if rectified else calibrate(x)


def branch_steps(branches: Iterable[nn.Module]) -> tuple[nn.Module | None, ...]:
    """The branches as ``CellPath.steps``: identities are neither called nor dropped.

    Plain tuples: a module list costs a Python call for each access.
    """
    return tuple(None if isinstance(branch, nn.Identity) else branch for branch in branches)


def unread_states(spec: CellSpec, reduction: bool) -> frozenset[int]:
    """Nodes that no node reads, and inputs that the output reads through a module of its own."""
    read = {source for node in spec.nodes for source, _ in node}
    reduced = {end for end in spec.output_ends() if end < 2 and reduction}
    return frozenset(range(2, len(spec.nodes) + 2)) - read | reduced


class Cell(CellPath, nn.Module):
    """B nodes, each the sum of two branches; the output joins everything that no node consumed. See ``CellPath``."""

    def __init__(self, spec: CellSpec, place: Place) -> None:
        super().__init__()
        self.place = place
        channels, stride = place.channels, 2 if place.reduction else 1
        self.older = None
        if place.after_reduction:
            self.older = Preactivated(FactorizedReduce(place.older, channels))
        elif place.calibrates_older:
            self.older = conv(place.older, channels)
        self.newer = conv(place.newer, channels) if place.calibrates_newer else None
        self.newer_again = conv(channels, channels) if place.recalibrates_newer else None
        self.sources = tuple((a[0], b[0]) for a, b in spec.nodes)
        branches = [branch for node in spec.nodes for branch in node]
        self.branches = nn.ModuleList(
            operations.get(name)(channels, stride if source < 2 else 1) for source, name in branches
        )
        self.output_ends = spec.output_ends()
        self.unused = nn.ModuleDict(
            {str(end): FactorizedReduce(channels, channels) for end in self.output_ends if end < 2 and place.reduction}
        )
        self.out_channels = channels * len(self.output_ends)
        self.steps = branch_steps(self.branches)
        self.unread = unread_states(spec, place.reduction)


class CellNetwork(ChildNetwork):
    """What networks of cells compute; a subclass makes ``cells``, ``auxiliary`` and ``classifier``.

    Args:
        settings: N, F and the head.
        in_channels: of the images.
        first: place of the first cell.
    """

    cells: nn.ModuleList
    auxiliary: AuxiliaryHead | None
    classifier: nn.Module

    def __init__(self, settings: NetworkSettings, in_channels: int, first: Place) -> None:
        super().__init__()
        stem = first.newer
        self.older_stem: nn.Sequential | None = None
        self.stem: nn.Sequential
        if settings.skeleton == "imagenet":
            half = max(stem // 2, 1)
            layers = [*_stride_2(in_channels, half), nn.ReLU(inplace=True), *_stride_2(half, stem)]
            self.older_stem = nn.Sequential(*layers)
            self.stem = Preactivated(*_stride_2(stem, stem))
        else:
            self.stem = nn.Sequential(nn.Conv2d(in_channels, stem, 3, padding=1, bias=False), BatchNorm(stem))
        self.rectify_stem = first.rectified_newer
        self.auxiliary_at = 2 * settings.cells_per_stage + 1 + (settings.auxiliary_at == "cell")
        self.dropout = nn.Dropout(settings.dropout) if settings.dropout else None
        self.drop_path_keep = settings.drop_path_keep

    def _stems(self, images: Tensor) -> tuple[Tensor, Tensor]:
        if self.older_stem is None:
            stem = self.stem(images)
            stem = stem.relu_() if self.rectify_stem else stem
            return stem, stem
        older = self.older_stem(images).relu_()  # all that read it begin with a ReLU
        assert isinstance(self.stem, Preactivated)
        stem = self.stem.rectified(older)
        return older, stem.relu_() if self.rectify_stem else stem

    def outputs(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        """See ``ChildNetwork.outputs``."""
        auxiliary = None
        older, newer = self._stems(arranged(images))
        for index, cell in enumerate(self.cells):
            keep = self.keep_probability(index, len(self.cells), self.drop_path_keep)
            older, newer = newer, cell(older, newer, keep)
            if self.training and self.auxiliary is not None and index == self.auxiliary_at:
                auxiliary = self.auxiliary(newer)
        features = newer.mean((2, 3))
        if self.dropout is not None:
            features = self.dropout(features)
        return self.classifier(features), auxiliary


class ConvolutionalNetwork(CellNetwork):
    """Stem, N normal cells, reduction, N normal cells, reduction, N normal cells, global pooling, classifier.

    CIFAR: the stem is a 3x3 convolution to 3 F channels with normalisation; both "cells before" the first one are the
    stem. ImageNet: ``older_stem``, two convolutions of stride 2 to a quarter of the image's size, and on it ``stem``,
    one more; these are the cells before the first one, which begins as after a reduction.

    Args:
        normal: the normal cell.
        reduction: the reduction cell.
        settings: N, F and the head.
        in_channels: of the images.
        classes: number of classes.
    """

    def __init__(
        self, normal: CellSpec, reduction: CellSpec, settings: NetworkSettings, in_channels: int, classes: int
    ) -> None:
        places = plan(settings, len(normal.output_ends()), len(reduction.output_ends()))
        super().__init__(settings, in_channels, places[0])
        self.cells = nn.ModuleList(Cell(reduction if place.reduction else normal, place) for place in places)
        self.auxiliary = None
        if settings.auxiliary_weight:
            self.auxiliary = AuxiliaryHead(self._width(self.auxiliary_at), classes, auxiliary_stride(settings))
        self.classifier = nn.Linear(self._width(-1), classes)
        initialize(self)

    def _width(self, index: int) -> int:
        cell = self.cells[index]
        assert isinstance(cell, Cell)
        return cell.out_channels


def auxiliary_stride(settings: NetworkSettings) -> int:
    """Stride of the auxiliary head's pool, on maps of 8x8 (CIFAR) or 7x7 (ImageNet)."""
    return 2 if settings.skeleton == "imagenet" else 3


def _stride_2(in_channels: int, out_channels: int) -> list[nn.Module]:
    return conv_layers(in_channels, out_channels, (3, 3), (2, 2))


def build_convolutional(
    space: ConvCellSpace, architecture: Architecture, settings: NetworkSettings, in_channels: int, classes: int
) -> ConvolutionalNetwork:
    """The network of a pair of convolutional cells."""
    cells = space.cells(architecture)
    return ConvolutionalNetwork(cells["normal"], cells["reduction"], settings, in_channels, classes)
