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


_TRUST = 2.0
"""Logit of how far a controller's beliefs are to be trusted, at first."""


class ImageController(nn.Module):
    """A small convolutional network from an image, and from how thrifty to be, to a logit for each operation.

    3x3 convolutions of stride 2, each with twice the channels of the one before, normalised and rectified; the mean of
    the last map; a hidden layer, which reads the thrift as well; the logits. With ``classes`` it also classifies, by
    what it has computed anyway, and the hidden layer reads what it believes and how sure it is: an image of which it is
    sure needs little more. A last logit says how far, from 0 to 1, it is to be trusted where its beliefs are added to
    what a path says. What decides does not change what classifies.

    Args:
        channels: of images.
        blocks: of the meta-graph.
        operations: of each block.
        classes: that it tells apart; 0 for none, as in the paper.
        width: channels of the first convolution.
        layers: convolutions; 3 in the paper (the authors' program has a residual network instead).
        hidden: units of the hidden layer.
    """

    def __init__(
        self,
        channels: int,
        blocks: int,
        operations: int,
        *,
        classes: int = 0,
        width: int = 8,
        layers: int = 3,
        hidden: int = 32,
    ) -> None:
        super().__init__()
        self.shape, self.classes = (blocks, operations), classes
        parts: list[nn.Module] = []
        for layer in range(layers):
            outputs = width * 2**layer
            parts += [nn.Conv2d(channels, outputs, 3, 2, 1, bias=False), BatchNorm(outputs), nn.ReLU(inplace=True)]
            channels = outputs
        self.features = nn.Sequential(*parts)
        self.classifier = nn.Linear(channels, classes) if classes else None
        self.hidden = nn.Linear(channels + (classes + 1 if classes else 0) + 1, hidden)
        self.logits = nn.Linear(hidden, blocks * operations + bool(classes))
        self.slope = nn.Parameter(torch.full((blocks * operations,), _SLOPE))
        nn.init.zeros_(self.logits.bias)
        if classes:
            nn.init.constant_(self.logits.bias[-1:], _TRUST)

    def multiply_adds(self, image: tuple[int, int, int]) -> int:
        """For one image ``(channels, height, width)``."""
        (height, width), found = image[1:], 0
        for module in self.features:
            if isinstance(module, nn.Conv2d):
                height, width = -(-height // 2), -(-width // 2)
                found += module.weight.numel() * height * width
        linear = [self.hidden, self.logits, *([] if self.classifier is None else [self.classifier])]
        return found + sum(layer.weight.numel() for layer in linear)

    def beliefs(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        """Features ``(n, c)`` and class logits ``(n, classes)``, if any, of ``(n, c, h, w)`` images."""
        features: Tensor = self.features(images).mean((2, 3))
        return features, None if self.classifier is None else self.classifier(features)

    def forward(self, images: Tensor, thrift: Tensor) -> tuple[Tensor, Tensor | None]:
        """Logits ``(n, blocks, operations)``, and class logits, if any, as far as they are to be trusted.

        Args:
            images: ``(n, c, h, w)``, as networks get them.
            thrift: ``(n,)``.
        """
        features, believed = self.beliefs(images)
        read = [features]
        if believed is not None:
            logs = believed.detach().log_softmax(1)
            sure = logs.exp()
            read = [features.detach(), sure, -(sure * logs).sum(1, keepdim=True)]
        hidden = torch.relu(self.hidden(torch.cat((*read, thrift[:, None]), 1)))
        found: Tensor = self.logits(hidden)
        decisions = len(self.slope)
        logits = found[:, :decisions] + self.slope * (1 - 2 * thrift[:, None])
        if believed is not None:
            believed = believed.detach() * torch.sigmoid(found[:, decisions:])
        return logits.view(-1, *self.shape), believed


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
        fuses: the controller's class logits, if any, are added to those of the path.

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
        *,
        fuses: bool = False,
    ) -> None:
        super().__init__()
        self.network, self.controller, self.fuses = network, controller, fuses
        self.needed, self.thrift = tuple(needed), thrift

    def decide(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        """Paths ``(n, blocks, operations)`` of ``(n, c, h, w)`` images, all that is as probable as not.

        And the class logits ``(n, classes)`` that are added to those of the paths, if any.
        """
        thrift = torch.full((len(images),), self.thrift, device=images.device)
        logits, believed = self.controller(images, thrift)
        return repaired(logits >= 0, self.needed), believed if self.fuses else None

    def follow(self, images: Tensor, masks: Tensor, believed: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Logits ``(n, classes)`` on given paths, and those of the auxiliary head in training, if any."""
        self.network.choose_each(masks)
        logits, auxiliary = self.network.outputs(images)
        return logits if believed is None else logits + believed, auxiliary

    def outputs(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        """See ``ChildNetwork.outputs``."""
        images = arranged(images)
        self.masks, believed = self.decide(images)
        return self.follow(images, self.masks, believed)
