"""A static child of the meta-graph with a classifier after each stage: what ``instance_aware`` compares with.

An image leaves at the first classifier that is sure enough of it (Teerapittayanon et al. 2016, BranchyNet).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from naopt.networks.base import ChildNetwork, arranged, initialize
from naopt.networks.cell_norms import AS_CHILDREN, CellNorms
from naopt.networks.costs.insta import OperationCosts, count_operations
from naopt.networks.costs.layers import Map
from naopt.networks.operations import BatchNorm
from naopt.networks.settings import NetworkSettings
from naopt.networks.supernet_insta import InstaSupernet
from naopt.spaces import InstaSpace, Tokens


class ExitSupernet(InstaSupernet):
    """``InstaSupernet`` with a classifier after each stage; the last one is its own head. Drop-path has no effect.

    Args:
        space: of the blocks.
        settings: F and the head.
        in_channels: of the images.
        classes: number of classes.
        norms: how the operations normalise.
    """

    def __init__(
        self,
        space: InstaSpace,
        settings: NetworkSettings,
        in_channels: int,
        classes: int,
        norms: CellNorms = AS_CHILDREN,
    ) -> None:
        super().__init__(space, settings, in_channels, classes, norms)
        shapes = space.shapes(settings.filters)
        self.ends = stage_ends(space)
        self.exits = nn.ModuleList(
            nn.Sequential(
                BatchNorm(shapes[end].outputs),
                nn.ReLU6(),
                nn.AdaptiveAvgPool2d(1),
                nn.Flatten(),
                nn.Linear(shapes[end].outputs, classes),
            )
            for end in self.ends[:-1]
        )
        initialize(self.exits)

    def path_parameters(self) -> list[nn.Parameter]:
        """See ``SharedWeights``; every path has all classifiers."""
        return [*super().path_parameters(), *self.exits.parameters()]

    def stage(self, stage: int, x: Tensor) -> Tensor:
        """The map that a stage's blocks make of the one before."""
        first = self.ends[stage - 1] + 1 if stage else 0
        for block in range(first, self.ends[stage] + 1):
            x = self.blocks[block](x, self.active(block))
        return x

    def classified(self, stage: int, x: Tensor) -> Tensor:
        """Logits ``(n, classes)`` of the classifier after a stage."""
        logits: Tensor = self.exits[stage](x) if stage < len(self.exits) else self.head(x)
        return logits

    def every(self, images: Tensor) -> list[Tensor]:
        """Logits of all classifiers, the first stage's first."""
        x, found = self.stem(arranged(images)), []
        for stage in range(len(self.ends)):
            x = self.stage(stage, x)
            found.append(self.classified(stage, x))
        return found


class EarlyExit(ChildNetwork):
    """The network in use: images that have left are dropped from the batch.

    Args:
        network: with its path chosen.
        threshold: an image leaves where the largest probability is at least this.

    Attributes:
        exited: ``(n,)``: after which stage each image of the latest batch left.
    """

    exited: Tensor

    def __init__(self, network: ExitSupernet, threshold: float) -> None:
        super().__init__()
        self.network, self.threshold = network, threshold

    def outputs(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        """See ``ChildNetwork.outputs``."""
        network, last = self.network, len(self.network.ends) - 1
        x = network.stem(arranged(images))
        rows = torch.arange(len(images), device=images.device)
        self.exited = torch.full_like(rows, last)
        found = x.new_empty(len(images), network.classifier.out_features)
        for stage in range(last + 1):
            x = network.stage(stage, x)
            logits = network.classified(stage, x)
            found[rows] = logits
            if stage < last:
                leave = logits.softmax(1).amax(1) >= self.threshold
                self.exited[rows[leave]] = stage
                stay = torch.nonzero(~leave).flatten()
                if not len(stay):
                    break
                if len(stay) < len(rows):
                    rows, x = rows[stay], x[stay]
        return found, None


def stage_ends(space: InstaSpace) -> tuple[int, ...]:
    """The last block of each stage."""
    return tuple(
        block
        for block, stage in enumerate(space.stage_of)
        if block + 1 == space.blocks or space.stage_of[block + 1] != stage
    )


def exit_costs(
    space: InstaSpace, tokens: Tokens, costs: OperationCosts, settings: NetworkSettings, image: Map, classes: int
) -> list[float]:
    """Relative costs of an image that leaves after each stage: the blocks up to there, and the classifiers.

    A classifier's cost is the part of the table's ``fixed`` that it has of its multiply-adds.

    Args:
        space: of the blocks.
        tokens: of the child.
        costs: of the meta-graph.
        settings: its F and head.
        image: ``(channels, height, width)``.
        classes: number of classes.
    """
    shapes, ends, active = space.shapes(settings.filters), stage_ends(space), space.active(tokens)
    unit = costs.fixed / count_operations(space, settings, image, classes, 0.0).fixed / 1e6
    heads = [unit * shapes[end].outputs * classes for end in ends]
    found, paid = [], costs.fixed - heads[-1]
    for stage, head in enumerate(heads):
        blocks: Sequence[int] = [block for block in range(space.blocks) if space.stage_of[block] == stage]
        paid += head + sum(costs.operations[block][index] for block in blocks for index in active[block])
        found.append(paid / costs.whole)
    return found
