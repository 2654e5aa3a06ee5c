"""From a network that decides for each image to what it does: operating points, decisions, statistics."""

from __future__ import annotations

from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from naopt.metrics.information import dependence, entropy, permutation_p
from naopt.metrics.rank import spearman_test
from naopt.run.instances import Example, ImageDecisions, Instances, InstanceStatistics
from naopt.run.operating_points import OperatingPoint, default_point

if TYPE_CHECKING:
    from torch import Tensor

    from naopt.one_shot.instance_measures import Outcome
    from naopt.run.instance import InstanceAware
    from naopt.training.images import Images

THRIFTS = 11
"""Operating points that are measured where the controller hears of thrift."""
PERMUTATIONS = 100
"""How often the images are given one another's children."""
_PERMUTED = 1000
"""Of so many images at most."""
_EXAMPLES = 8
"""Of the cheapest and of the dearest images."""
_SIDE = 64
"""Of an example, at most, in pixels."""


Stepped = Callable[[int, int], None]
"""Hears how many passes over the images there were, and how many there will be."""


def measure_instances(aware: InstanceAware, stepped: Stepped = lambda _, __: None) -> Instances:
    """What a network does with its validation images, and how long it takes for them.

    Args:
        aware: the network, which is left at the default operating point.
        stepped: may raise.
    """
    from naopt.one_shot.instance_measures import milliseconds, outcome

    network, images = aware.network, aware.parts["valid"]
    thrifts = np.linspace(0, 1, THRIFTS).round(3).tolist() if aware.conditioned else [0.0]
    if aware.tuned is not None:
        thrifts = sorted({*thrifts, aware.tuned})
    total = len(thrifts) + 1 + PERMUTATIONS
    times, found, points = milliseconds(network, images, thrifts), [], []
    for number, (thrift, time) in enumerate(zip(thrifts, times, strict=True), 1):
        network.thrift = thrift
        found.append(outcome(network, images))
        points.append(_point(aware, thrift, time, found[-1]))
        stepped(number, total)
    default = default_point(points)
    network.thrift, at_default = default.thrift, found[points.index(default)]
    children = _children(found[0])
    reference = children.most_common(1)[0][0]
    masks = found[0].masks
    masks = masks.new_tensor(reference).view(masks.shape[1:]).expand_as(masks)
    decisions = _decisions(aware, at_default, outcome(network, images, masks, fused=False).losses)
    return Instances(
        tuple(points),
        aware.conditioned,
        aware.costs,
        tuple(map(str, aware.facts["classes"])),
        aware.space.format(aware.space.architecture(reference)),
        decisions,
        _statistics(aware, at_default, decisions, lambda number: stepped(len(thrifts) + 1 + number, total)),
        _examples(images, decisions.cost),
    )


def _children(found: Outcome) -> Counter[tuple[int, ...]]:
    return Counter(map(tuple, found.masks.flatten(1).int().tolist()))


def _point(aware: InstanceAware, thrift: float, time: float, found: Outcome) -> OperatingPoint:
    children = _children(found)
    return OperatingPoint(
        thrift=thrift,
        accuracy=100 * float(found.correct.double().mean()),
        loss=float(found.losses.double().mean()),
        latency=float(found.costs(aware.costs).double().mean()),
        milliseconds=time,
        children=len(children),
        largest=children.most_common(1)[0][1] / len(found.masks),
        tuned=thrift == aware.tuned,
    )


def _decisions(aware: InstanceAware, found: Outcome, difficulty: Tensor) -> ImageDecisions:
    numbers = {tokens: index for index, (tokens, _) in enumerate(_children(found).most_common())}
    return ImageDecisions(
        children=tuple(aware.space.format(aware.space.architecture(tokens)) for tokens in numbers),
        child=tuple(numbers[tuple(row)] for row in found.masks.flatten(1).int().tolist()),
        cost=tuple(found.costs(aware.costs).tolist()),
        correct=tuple(found.correct.tolist()),
        loss=tuple(found.losses.tolist()),
        label=tuple(aware.parts["valid"].labels.tolist()),
        difficulty=tuple(difficulty.tolist()),
    )


def _statistics(
    aware: InstanceAware, found: Outcome, decisions: ImageDecisions, stepped: Callable[[int], None]
) -> InstanceStatistics:
    import torch

    from naopt.one_shot.instance_measures import outcome

    child, images = decisions.child, aware.parts["valid"]
    quartile = np.argsort(np.argsort(decisions.difficulty, kind="stable")) * 4 // len(child)
    correlation, p = spearman_test(decisions.cost, decisions.difficulty)
    generator = torch.Generator().manual_seed(0)
    some = torch.randperm(len(child), generator=generator)[:_PERMUTED]
    few, masks = _part(images, some), found.masks[some]
    losses, hits = [], []
    for number in range(PERMUTATIONS):
        other = outcome(aware.network, few, masks[torch.randperm(len(some), generator=generator)])
        losses.append(float(other.losses.double().mean()))
        hits.append(100 * float(other.correct.double().mean()))
        stepped(number + 1)
    own = float(found.losses[some].double().mean())
    return InstanceStatistics(
        entropy=entropy(child),
        of_class=dependence(child, decisions.label),
        of_difficulty=dependence(child, quartile.tolist()),
        cost_and_difficulty=None if np.isnan(correlation) else correlation,
        cost_and_difficulty_p=None if np.isnan(p) else p,
        loss=own,
        accuracy=100 * float(found.correct[some].double().mean()),
        permuted_loss=float(np.mean(losses)),
        permuted_accuracy=float(np.mean(hits)),
        permuted_p=permutation_p(-own, [-loss for loss in losses]),
        permutations=PERMUTATIONS,
    )


def _part(images: Images, rows: Tensor) -> Images:
    rows = rows.to(images.labels.device)
    return replace(images, pixels=images.pixels[rows], labels=images.labels[rows])


def _examples(images: Images, costs: Sequence[float]) -> tuple[Example, ...]:
    """The images of least cost and of most; which of equal ones is left to chance, as data come class by class."""
    order = np.lexsort((np.random.default_rng(0).permutation(len(costs)), np.array(costs)))
    chosen = order if len(order) <= 2 * _EXAMPLES else np.concatenate((order[:_EXAMPLES], order[-_EXAMPLES:]))
    low, high = float(images.pixels.min()), float(images.pixels.max())
    step = -(-max(images.pixels.shape[2:]) // _SIDE)
    found = []
    for index in chosen.tolist():
        pixels = images.pixels[index, :, ::step, ::step].double().cpu().numpy()
        pixels = pixels if len(pixels) in (1, 3) else pixels.mean(axis=0, keepdims=True)
        levels = (255 * (pixels - low) / ((high - low) or 1.0)).round().astype(np.uint8)
        channels, height, width = levels.shape
        found.append(Example(index, (channels, height, width), b64encode(levels.tobytes()).decode("ascii")))
    return tuple(found)
