"""Networks that decide for each image what they compute (Cheng et al. 2020, InstaNAS)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from naopt.networks.base import ChildNetwork, arranged
from naopt.networks.operations import BatchNorm
from naopt.networks.supernet_insta import InstaSupernet

_SLOPE = 3.0
"""By which logits fall from thrift 1/2 to thrift 1, at first: a controller that has learned nothing yet spends
everything where it may and nothing where it may not, so that all of the meta-graph is seen at some thrift."""


class ImageController(nn.Module):
    """A small convolutional network from an image, and from how thrifty to be, to a logit for each operation.

    3x3 convolutions of stride 2, each with twice the channels of the one before, normalised and rectified; the mean of
    the last map; a hidden layer, which reads the thrift as well; the logits.

    Args:
        channels: of images.
        blocks: of the meta-graph.
        operations: of each block.
        width: channels of the first convolution.
        layers: convolutions; 3 in the paper (the authors' program has a residual network instead).
        hidden: units of the hidden layer.
    """

    def __init__(
        self, channels: int, blocks: int, operations: int, *, width: int = 8, layers: int = 2, hidden: int = 32
    ) -> None:
        super().__init__()
        self.shape = (blocks, operations)
        parts: list[nn.Module] = []
        for layer in range(layers):
            outputs = width * 2**layer
            parts += [nn.Conv2d(channels, outputs, 3, 2, 1, bias=False), BatchNorm(outputs), nn.ReLU(inplace=True)]
            channels = outputs
        self.features = nn.Sequential(*parts)
        self.hidden = nn.Linear(channels + 1, hidden)
        self.logits = nn.Linear(hidden, blocks * operations)
        self.slope = nn.Parameter(torch.full((blocks * operations,), _SLOPE))
        nn.init.zeros_(self.logits.bias)

    def multiply_adds(self, image: tuple[int, int, int]) -> int:
        """For one image ``(channels, height, width)``."""
        (height, width), found = image[1:], 0
        for module in self.features:
            if isinstance(module, nn.Conv2d):
                height, width = -(-height // 2), -(-width // 2)
                found += module.weight.numel() * height * width
        return found + self.hidden.weight.numel() + self.logits.weight.numel()

    def forward(self, images: Tensor, thrift: Tensor) -> Tensor:
        """Logits ``(n, blocks, operations)`` of ``(n, c, h, w)`` images, as networks get them, and ``(n,)`` thrifts."""
        features = self.features(images).mean((2, 3))
        hidden = torch.relu(self.hidden(torch.cat((features, thrift[:, None]), 1)))
        logits: Tensor = self.logits(hidden) + self.slope * (1 - 2 * thrift[:, None])
        return logits.view(-1, *self.shape)


def repaired(masks: Tensor, needed: Sequence[int | None]) -> Tensor:
    """Valid paths: a block that cannot be skipped, and has no active operation, gets a given one.

    Args:
        masks: ``(n, blocks, operations)``, boolean; changed in place.
        needed: for each block the operation, ``None`` where it can be skipped.
    """
    for block, index in enumerate(needed):
        if index is not None:
            masks[:, block, index] |= ~masks[:, block].any(1)
    return masks


class InstanceNetwork(ChildNetwork):
    """Looks at each image, decides which operations of the meta-graph it needs, and computes these.

    A batch is grouped: images that have an operation in common share one call of it (``summed_rows``). In evaluation
    mode an image gets the same logits, up to rounding, in whatever batch it comes.

    Args:
        network: the meta-graph.
        controller: decides.
        needed: see ``repaired``.
        thrift: from 0 (spend) to 1 (save), for all images; the operating point.

    Attributes:
        masks: ``(n, blocks, operations)``, boolean: what was decided for the latest batch.
    """

    masks: Tensor

    def __init__(
        self,
        network: InstaSupernet,
        controller: ImageController,
        needed: Sequence[int | None],
        thrift: float = 0.0,
    ) -> None:
        super().__init__()
        self.network, self.controller = network, controller
        self.needed, self.thrift = tuple(needed), thrift

    def decide(self, images: Tensor) -> Tensor:
        """Paths ``(n, blocks, operations)`` of ``(n, c, h, w)`` images: all that is as probable as not."""
        thrift = torch.full((len(images),), self.thrift, device=images.device)
        return repaired(self.controller(images, thrift) >= 0, self.needed)

    def outputs(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        """See ``ChildNetwork.outputs``."""
        images = arranged(images)
        self.masks = self.decide(images)
        self.network.choose_each(self.masks)
        return self.network.outputs(images)
