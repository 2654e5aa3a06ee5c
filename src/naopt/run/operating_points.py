"""Operating points of a network that decides for each image what it computes. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from naopt.errors import InputError

EQUAL = 0.3
"""Points of accuracy that count as none."""


@dataclass(frozen=True)
class OperatingPoint:
    """What the network reaches on the validation images when it is told how thrifty to be.

    Attributes:
        thrift: from 0 (spend) to 1 (save).
        accuracy: in percent.
        loss: mean cross entropy, nats.
        latency: mean relative cost by the run's table, controller included; 1 is the whole meta-graph without one.
        milliseconds: for one image, measured on batches of 64.
        children: how many distinct ones.
        largest: share of the images that get the most frequent one.
        tuned: whether the network was fine-tuned for this point.
    """

    thrift: float
    accuracy: float
    loss: float
    latency: float
    milliseconds: float
    children: int
    largest: float
    tuned: bool = False


def default_point(points: Sequence[OperatingPoint]) -> OperatingPoint:
    """That which the network was fine-tuned for, else the cheapest within 0.3 points of the best accuracy."""
    if tuned := [point for point in points if point.tuned]:
        return tuned[0]
    best = max(point.accuracy for point in points)
    return min((p for p in points if p.accuracy >= best - EQUAL), key=lambda p: (p.latency, -p.accuracy))


def thrift_for(points: Sequence[OperatingPoint], latency: float) -> float:
    """The smallest thrift at which the mean relative latency is what is wanted; linear between the points.

    Raises:
        InputError: it is beyond those of the points.
    """
    if not points:
        raise InputError("latency", latency, "no operating point of the network has been measured")
    known = sorted(points, key=lambda point: point.thrift)
    low, high = min(p.latency for p in known), max(p.latency for p in known)
    if not low <= latency <= high:
        rule = f"the network's are from {low:.4g} to {high:.4g} of the whole meta-graph's"
        raise InputError("latency", latency, rule if low < high else f"the network has only {low:.4g}")
    for first, second in pairwise(known):
        if min(first.latency, second.latency) <= latency <= max(first.latency, second.latency):
            if first.latency == second.latency:
                return first.thrift
            part = (first.latency - latency) / (first.latency - second.latency)
            return first.thrift + part * (second.thrift - first.thrift)
    return known[0].thrift
