"""What a network that decides for each image does: its paths, what they give and cost, and how long it takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from naopt.devices.timing import timed_together
from naopt.networks.base import arranged
from naopt.one_shot.instance_policy import relative_costs

if TYPE_CHECKING:
    from naopt.networks.costs.insta import OperationCosts
    from naopt.networks.instance import InstanceNetwork
    from naopt.training.images import Images

BATCH = 64
"""Images at a time where a network is timed."""
_SIZE = 256
_REPEATS, _WARM_UP, _SPREAD = 10, 2, 0.1


@dataclass(frozen=True)
class Outcome:
    """What came of some images, each on a path of its own; all on the CPU.

    Attributes:
        masks: ``(n, blocks, operations)``, boolean.
        correct: ``(n,)``, boolean.
        losses: ``(n,)``, cross entropy in nats.
    """

    masks: Tensor
    correct: Tensor
    losses: Tensor

    def costs(self, costs: OperationCosts) -> Tensor:
        """Relative costs ``(n,)``, the controller's included."""
        return relative_costs(self.masks, costs)


@torch.inference_mode()
def outcome(network: InstanceNetwork, images: Images, masks: Tensor | None = None, *, fused: bool = True) -> Outcome:
    """What images give on the paths that the network decides on, or on others.

    Args:
        network: in evaluation mode, at the operating point in question.
        images: ``n``.
        masks: ``(n, blocks, operations)``; ``None`` for its own decisions.
        fused: what the controller believes is added where the network does so; else paths speak for themselves.
    """
    paths, correct, losses, at = [], [], [], 0
    for inputs, labels in images.batches(_SIZE):
        batch = arranged(inputs)
        own, believed = network.decide(batch)
        if masks is not None:
            own = masks[at : at + len(labels)].to(labels.device)
        logits = network.follow(batch, own, believed if fused else None)[0].float()
        paths.append(own.cpu())
        correct.append((logits.argmax(1) == labels).cpu())
        losses.append(F.cross_entropy(logits, labels, reduction="none").cpu())
        at += len(labels)
    return Outcome(torch.cat(paths), torch.cat(correct), torch.cat(losses))


def milliseconds(network: InstanceNetwork, images: Images, thrifts: Sequence[float]) -> list[float]:
    """Median time for an image at each thrift, in batches of 64 of the images; ``thrift`` is left as it was."""
    device = images.labels.device
    mixed = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    rows = mixed[torch.arange(BATCH) % len(images)].to(device)
    inputs, before = images.normalize(images.pixels[rows]), network.thrift

    def call(thrift: float) -> Tensor:
        network.thrift = thrift
        return network(inputs)  # type: ignore[no-any-return]

    found = timed_together(
        {str(thrift): lambda thrift=thrift: call(thrift) for thrift in thrifts},  # type: ignore[misc]
        repeats=_REPEATS,
        warm_up=_WARM_UP,
        spread=_SPREAD,
        device=str(device),
    )
    network.thrift = before
    return [float(found[str(thrift)]["median_ms"]) / BATCH for thrift in thrifts]
