"""ResNets and MobileNets: what people would use instead of a searched cell (He et al. 2016; Sandler et al. 2018)."""

from __future__ import annotations

from torch import Tensor, nn

from naopt.networks.base import AuxiliaryHead, ChildNetwork, arranged, drop_path, initialize
from naopt.networks.insta import InvertedResidualLayers
from naopt.networks.operations import conv_layers
from naopt.networks.settings import NetworkSettings
from naopt.networks.skeleton import require_cifar
from naopt.spaces import Architecture, ImageBaselineSpace
from naopt.spaces.image_baseline import Block, Layout
from naopt.spaces.insta import InvertedResidual

_KERNEL = (3, 3)


class ResidualBlock(nn.Module):
    """A body with a shortcut beside it, where there is one; a basic block is rectified after the sum.

    Args:
        block: its shape; a basic block (two 3x3 convolutions) or an inverted residual.
    """

    def __init__(self, block: Block) -> None:
        super().__init__()
        shape, stride = block.shape, (block.shape.stride, block.shape.stride)
        self.shortcut: nn.Module | None
        if block.expansion:
            self.body: nn.Module = InvertedResidualLayers(InvertedResidual(3, block.expansion), shape)
            self.shortcut = nn.Identity() if shape.keeps else None
        else:
            first = conv_layers(shape.inputs, shape.outputs, _KERNEL, stride)
            second = conv_layers(shape.outputs, shape.outputs, _KERNEL)
            self.body = nn.Sequential(*first, nn.ReLU(inplace=True), *second)
            changed = nn.Sequential(*conv_layers(shape.inputs, shape.outputs, (1, 1), stride))
            self.shortcut = nn.Identity() if shape.keeps else changed
        self.rectifies = not block.expansion

    def forward(self, x: Tensor, keep: float = 1.0) -> Tensor:
        """``(n, inputs, h, w)`` to the block's shape; ``keep`` is the probability that the body survives drop-path."""
        y: Tensor = self.body(x)
        if self.shortcut is not None:
            y = (drop_path(y, keep) if keep < 1.0 else y) + self.shortcut(x)
        return y.relu_() if self.rectifies else y


class BlockNetwork(ChildNetwork):
    """Stem, blocks, a last 1x1 convolution if there is one, global pooling, classifier.

    Drop-path, dropout and the auxiliary head work as in ``ConvolutionalNetwork`` where the settings ask for them;
    ``cells_per_stage``, ``head_relu`` and ``calibrate_newer`` are without effect.

    Args:
        layout: of the blocks.
        settings: of the head.
        in_channels: of the images.
        classes: number of classes.
    """

    def __init__(self, layout: Layout, settings: NetworkSettings, in_channels: int, classes: int) -> None:
        super().__init__()
        mobile = bool(layout.blocks[0].expansion)
        activation = nn.ReLU6 if mobile else nn.ReLU
        self.stem = nn.Sequential(*conv_layers(in_channels, layout.stem, _KERNEL), activation(inplace=True))
        self.blocks = nn.ModuleList(ResidualBlock(block) for block in layout.blocks)
        width = layout.blocks[-1].shape.outputs
        self.last: nn.Sequential | None = None
        if layout.last:
            self.last = nn.Sequential(*conv_layers(width, layout.last), activation(inplace=True))
            width = layout.last
        self.auxiliary_at = layout.stages[1]
        self.auxiliary: AuxiliaryHead | None = None
        if settings.auxiliary_weight:
            self.auxiliary = AuxiliaryHead(layout.blocks[self.auxiliary_at].shape.outputs, classes)
        self.dropout = nn.Dropout(settings.dropout) if settings.dropout else None
        self.classifier = nn.Linear(width, classes)
        self.drop_path_keep = settings.drop_path_keep
        initialize(self)

    def outputs(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        """See ``ChildNetwork.outputs``."""
        x, auxiliary = self.stem(arranged(images)), None
        for index, block in enumerate(self.blocks):
            x = block(x, self.keep_probability(index, len(self.blocks), self.drop_path_keep))
            if self.training and self.auxiliary is not None and index == self.auxiliary_at:
                auxiliary = self.auxiliary(x)
        x = x if self.last is None else self.last(x)
        features = x.mean((2, 3))
        if self.dropout is not None:
            features = self.dropout(features)
        return self.classifier(features), auxiliary


def build_image_baseline(
    space: ImageBaselineSpace, architecture: Architecture, settings: NetworkSettings, in_channels: int, classes: int
) -> BlockNetwork:
    """The network of that name. Raises ``InputError`` if another skeleton than that of CIFAR is asked for."""
    require_cifar(settings, "baselines")
    return BlockNetwork(space.layout(architecture, settings.filters), settings, in_channels, classes)
