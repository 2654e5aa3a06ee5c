"""Networks of the meta-graph space: blocks of inverted residuals (Cheng et al. 2020, InstaNAS; Sandler et al. 2018)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from naopt.networks.base import AuxiliaryHead, ChildNetwork, add, arranged, drop_path, initialize
from naopt.networks.operations import BatchNorm, conv_layers
from naopt.networks.settings import NetworkSettings
from naopt.networks.skeleton import require_cifar
from naopt.spaces import Architecture, InstaSpace
from naopt.spaces.insta import BlockShape, InvertedResidual

Rows = Sequence[tuple[int, Tensor | None]]
"""Operations of a block that are active for some images of a batch, ascending, each with the rows of these images,
``(m,)`` and ascending; ``None`` for all."""


class InvertedResidualLayers(nn.Sequential):
    """Widening 1x1 convolution, if any, depthwise convolution, projection; no activation after the projection.

    ``(n, inputs, h, w)`` to ``(n, outputs, ceil(h / stride), ceil(w / stride))``.
    """

    def __init__(self, operation: InvertedResidual, shape: BlockShape) -> None:
        wide, kernel = operation.expansion * shape.inputs, operation.kernel
        layers = [*conv_layers(shape.inputs, wide), nn.ReLU6(inplace=True)] if operation.expansion > 1 else []
        depthwise = nn.Conv2d(wide, wide, kernel, shape.stride, kernel // 2, groups=wide, bias=False)
        layers += [depthwise, BatchNorm(wide), nn.ReLU6(inplace=True), *conv_layers(wide, shape.outputs)]
        super().__init__(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """The layers one after the other.

        They are not called as modules: for few images that would take as long as a convolution.
        """
        layers = tuple(self._modules.values())
        for convolution, norm in zip(layers[::3], layers[1::3], strict=True):
            assert isinstance(convolution, nn.Conv2d)
            assert isinstance(norm, BatchNorm)
            x = torch.conv2d(
                x, convolution.weight, None, convolution.stride, convolution.padding, groups=convolution.groups
            )
            x = torch.batch_norm(
                x,
                norm.weight,
                norm.bias,
                norm.running_mean,
                norm.running_var,
                norm.training,
                norm.momentum,
                norm.eps,
                torch.backends.cudnn.enabled,
            )
            if norm is not layers[-1]:
                x = F.relu6(x, inplace=True)
        return x


def summed(x: Tensor, active: Iterable[nn.Module], *, shortcut: bool, keep: float = 1.0) -> Tensor:
    """What a block computes: the sum of its active operations' outputs, and of its input where that has their shape.

    Args:
        x: ``(n, inputs, h, w)``.
        active: operations, in the space's order; at least one where there is no shortcut.
        shortcut: whether the input is added; without an active operation the block then is the identity.
        keep: probability that an operation survives drop-path.

    Returns:
        ``(n, outputs, h, w)``, of half the size where the block has a stride of 2.
    """
    total, own = (x if shortcut else None), False
    for operation in active:
        y: Tensor = operation(x)
        if keep < 1.0:
            y = drop_path(y, keep)
        total, own = y if total is None else add(total, y, own, True), True
    assert total is not None, "a block without a shortcut needs an active operation"
    return total


def summed_rows(x: Tensor, active: Iterable[tuple[nn.Module, Tensor | None]], *, shortcut: bool) -> Tensor:
    """As ``summed`` without drop-path, each operation for some images only: it computes these, and no others.

    That is the finest way to group a batch: images that have an operation in common share one call of it, whatever
    else they compute. Images for which no operation is active are handed on, where there is a shortcut.

    Images are picked and added where they lie one after the other in memory, with channels last too: a tenth of the
    time.

    Args:
        x: ``(n, inputs, h, w)``.
        active: operations with the rows for which they are active, ``None`` for all.
        shortcut: whether the input is added.
    """
    last = x.is_contiguous(memory_format=torch.channels_last)
    forth, back = ((0, 2, 3, 1), (0, 3, 1, 2)) if last else ((0, 1, 2, 3), (0, 1, 2, 3))
    inputs = x.permute(forth)
    total, own = (inputs if shortcut else None), False
    for operation, rows in active:
        if rows is None:
            y: Tensor = operation(x).permute(forth)
            total = y if total is None else add(total, y, own, True)
        else:
            y = _few(operation, inputs.index_select(0, rows).permute(back)).permute(forth)
            if total is None:
                total, own = y.new_zeros((len(x), *y.shape[1:])), True
            total = total.index_add_(0, rows, y) if own else total.index_add(0, rows, y)
        own = True
    assert total is not None, "a block without a shortcut needs an active operation"
    return total.permute(back)


def _few(operation: nn.Module, x: Tensor) -> Tensor:
    """What an operation gives; a single image in training is normalised by the running statistics.

    A batch of one has no statistics where maps are a single pixel, and poor ones elsewhere.
    """
    if len(x) > 1 or not operation.training:
        y: Tensor = operation(x)
        return y
    norms = [module for module in operation.modules() if isinstance(module, BatchNorm)]
    try:
        for norm in norms:
            norm.training = False
        alone: Tensor = operation(x)
    finally:
        for norm in norms:
            norm.training = True
    return alone


class InstaBlock(nn.Module):
    """A block: operations by name, of which any may be active.

    Args:
        shape: what it does to a map.
        operations: that it holds.

    Attributes:
        shortcut: whether the input is added to the sum. Only there drop-path drops operations.
    """

    def __init__(self, shape: BlockShape, operations: Sequence[InvertedResidual]) -> None:
        super().__init__()
        self.shortcut = shape.keeps
        self.operations = nn.ModuleDict({each.name: InvertedResidualLayers(each, shape) for each in operations})
        # A plain tuple: a module dictionary costs a Python call for each access.
        self.held = tuple(self.operations.values())

    def forward(
        self, x: Tensor, active: Iterable[int] | None = None, keep: float = 1.0, rows: Rows | None = None
    ) -> Tensor:
        """See ``summed``, and ``summed_rows`` where there are ``rows``; places among those held, all by default."""
        if rows is not None:
            return summed_rows(x, [(self.held[index], some) for index, some in rows], shortcut=self.shortcut)
        chosen = self.held if active is None else [self.held[index] for index in active]
        return summed(x, chosen, shortcut=self.shortcut, keep=keep if self.shortcut else 1.0)


class InstaNetwork(ChildNetwork):
    """Stem to F channels, the blocks, a normalised and rectified map that is pooled, classifier.

    The stem is a 3x3 convolution with stride 1. F is ``filters``; the first block of each later stage doubles the
    channels and halves the map. ``cells_per_stage`` is without effect, as the space says how many blocks there are, and
    so are ``head_relu``, ``calibrate_newer`` and ``drop_identities``. The auxiliary classifier, if any, reads what the
    first block of the last stage gives, whatever ``auxiliary_at`` says.

    Args:
        space: of the architecture.
        held: for each block the operations that it holds, as indices into ``space.operations``.
        settings: F and the head.
        in_channels: of the images.
        classes: number of classes.

    Raises:
        InputError: another skeleton than that of CIFAR is asked for.
    """

    def __init__(
        self,
        space: InstaSpace,
        held: Sequence[Sequence[int]],
        settings: NetworkSettings,
        in_channels: int,
        classes: int,
    ) -> None:
        super().__init__()
        require_cifar(settings, "blocks of insta")
        shapes = space.shapes(settings.filters)
        self.stem = nn.Sequential(*conv_layers(in_channels, settings.filters, (3, 3)), nn.ReLU6(inplace=True))
        self._row = [
            InstaBlock(shape, [space.operations[index] for index in indices])
            for shape, indices in zip(shapes, held, strict=True)
        ]
        self.blocks = nn.ModuleList(self._row)
        self._auxiliary_after = space.stage_of.index(space.stages - 1)
        channels = shapes[-1].outputs
        self.auxiliary = AuxiliaryHead(channels, classes) if settings.auxiliary_weight else None
        self.norm = BatchNorm(channels)
        self.rectify = nn.ReLU6(inplace=True)
        self.dropout = nn.Dropout(settings.dropout) if settings.dropout else None
        self.classifier = nn.Linear(channels, classes)
        self.drop_path_keep = settings.drop_path_keep
        initialize(self)

    @property
    def parts(self) -> list[tuple[nn.Module, ...]]:
        """For each block the operations that it holds."""
        return [block.held for block in self._row]

    def head(self, x: Tensor) -> Tensor:
        """Logits ``(n, classes)`` of the last block's map."""
        features = self.rectify(self.norm(x)).mean((2, 3))
        if self.dropout is not None:
            features = self.dropout(features)
        logits: Tensor = self.classifier(features)
        return logits

    def active(self, block: int) -> Iterable[int] | None:  # noqa: ARG002
        """Which of the operations that a block holds are computed; all of them if ``None``."""
        return None

    def rows(self, block: int) -> Rows | None:  # noqa: ARG002
        """For which images of a batch the operations of a block are computed; ``None`` if that is one for all."""
        return None

    def outputs(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        """See ``ChildNetwork.outputs``."""
        x, auxiliary = self.stem(arranged(images)), None
        for index, block in enumerate(self._row):
            keep = self.keep_probability(index, len(self._row), self.drop_path_keep)
            x = block(x, self.active(index), keep, self.rows(index))
            if self.training and self.auxiliary is not None and index == self._auxiliary_after:
                auxiliary = self.auxiliary(x)
        return self.head(x), auxiliary


def build_insta(
    space: InstaSpace, architecture: Architecture, settings: NetworkSettings, in_channels: int, classes: int
) -> InstaNetwork:
    """The network of an architecture, which holds its active operations only."""
    return InstaNetwork(space, space.active(architecture.tokens), settings, in_channels, classes)
