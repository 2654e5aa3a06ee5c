"""Architectures that are measured more than once: what their measurements say together."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from naopt.measurement import Measurement, error_name, is_error

if TYPE_CHECKING:
    from naopt.spaces import Architecture

    Told = tuple[Architecture, Measurement]

_FEWEST = 5
"""Repeats from which on their spread is believed against errors that are stated."""


def pooled(told: Iterable[Told], metrics: Sequence[str]) -> list[Told]:
    """One measurement for each architecture, in the order in which they were first told.

    Of several a metric is the mean. Its standard error is that of the mean; what one measurement may be off by is what
    was stated, or what repeats are seen to spread by, all architectures together, if that is more or nothing was
    stated. Measurements that failed are left out where others did not. An architecture that was measured once, where
    none was twice, is as it was told.

    Args:
        told: architectures and measurements.
        metrics: that errors are learned of.
    """
    groups: dict[Architecture, list[Measurement]] = {}
    for architecture, measurement in told:
        groups.setdefault(architecture, []).append(measurement)
    spreads = {metric: _spread(groups.values(), metric) for metric in metrics}
    return [(architecture, _one(found, spreads)) for architecture, found in groups.items()]


def _spread(groups: Iterable[Sequence[Measurement]], metric: str) -> tuple[float, int]:
    """Variance of one measurement around its architecture's mean, and from how many repeats that is known."""
    squares, repeats = 0.0, 0
    for group in groups:
        values = [m.metrics[metric] for m in group if m.ok and metric in m.metrics]
        if len(values) > 1:
            middle = math.fsum(values) / len(values)
            squares += math.fsum((value - middle) ** 2 for value in values)
            repeats += len(values) - 1
    return (squares / repeats if repeats else 0.0), repeats


def _one(group: Sequence[Measurement], spreads: dict[str, tuple[float, int]]) -> Measurement:
    kept = [m for m in group if m.ok] or list(group[-1:])
    first = kept[0]
    if not first.ok:
        return first
    names = [name for name in first.metrics if all(name in m.metrics for m in kept)]
    metrics: dict[str, float] = {}
    for name in names:
        values = [m.metrics[name] for m in kept]
        metrics[name] = math.hypot(*values) / len(kept) if is_error(name, names) else math.fsum(values) / len(kept)
    for name, (variance, repeats) in spreads.items():
        stated = metrics.get(error_name(name))
        seen = math.sqrt(variance / len(kept))
        if name in metrics and repeats and (stated is None or (repeats >= _FEWEST and seen > stated)):
            metrics[error_name(name)] = seen
    seconds = math.fsum(m.seconds for m in kept)
    return Measurement(metrics, seconds, reason=first.reason, details=first.details, level=first.level)
