"""What the curves of ``instance_aware`` come to: equal accuracy, equal cost, and which lies above which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from naopt.metrics import summarise

Point = Mapping[str, float]
"""A network, or an operating point of one: ``accuracy``, ``cost``, ``ms64``, ``ms1``."""

COSTS = ("cost", "ms64", "ms1")
BASELINES = {"width": "filters", "exit": "threshold"}
"""What is compared at equal cost, and what its points differ by."""
TOLERANCE = 0.3
"""Points of accuracy that count as equal."""
_GRID = 401


def at_accuracy(curve: Sequence[Point], accuracy: float, tolerance: float = TOLERANCE) -> dict[str, float] | None:
    """The cheapest place of a curve that is as accurate, linearly interpolated in the order of costs.

    Where none is, the cheapest that lacks at most the tolerance; ``None`` where there is none either.
    """
    ordered = sorted(curve, key=lambda point: point["cost"])
    for wanted in (accuracy, accuracy - tolerance):
        for index, point in enumerate(ordered):
            if point["accuracy"] < wanted:
                continue
            if index == 0:
                return dict(point)
            before = ordered[index - 1]
            part = (wanted - before["accuracy"]) / (point["accuracy"] - before["accuracy"])
            return {key: before[key] + part * (point[key] - before[key]) for key in ("accuracy", *COSTS)}
    return None


def at_cost(curve: Sequence[Point], cost: float, by: str = "cost") -> float | None:
    """Accuracy of a curve at a cost; ``None`` outside of it, and for a single place, whose times differ by chance."""
    ordered = sorted(curve, key=lambda point: point[by])
    if is_place(curve) or not ordered[0][by] <= cost <= ordered[-1][by]:
        return None
    return float(np.interp(cost, [point[by] for point in ordered], [point["accuracy"] for point in ordered]))


def is_place(curve: Sequence[Point]) -> bool:
    """Whether all points of a curve are one."""
    return len({point["cost"] for point in curve}) < 2


def upper_hull(points: Sequence[Point], by: str = "cost") -> list[tuple[float, float]]:
    """The concave hull above points, as pairs of cost and accuracy, from the cheapest to the most accurate."""
    hull: list[tuple[float, float]] = []
    for x, y in sorted((point[by], point["accuracy"]) for point in points):
        while hull and x == hull[-1][0]:
            hull.pop()
        while len(hull) > 1 and _turns_left(hull[-2], hull[-1], (x, y)):
            hull.pop()
        hull.append((x, y))
    best = max(range(len(hull)), key=lambda index: hull[index][1])
    return hull[: best + 1]


def _turns_left(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> bool:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]) >= 0


def share_above(curve: Sequence[Point], static: Sequence[Point], by: str = "cost") -> float | None:
    """Over what part of the costs that both have a curve lies above the static front's upper hull.

    Beyond its most accurate network the hull stays as it is. ``None`` where they have no range of costs in common, or
    the curve is a single place.
    """
    if is_place(curve):
        return None
    costs = [[point[by] for point in points] for points in (curve, static)]
    low, high = max(map(min, costs)), min(map(max, costs))
    if low >= high:
        return None
    grid = np.linspace(low, high, _GRID)
    hull = np.array(upper_hull(static, by))
    ordered = sorted(curve, key=lambda point: point[by])
    mine: NDArray[np.float64] = np.interp(
        grid, [point[by] for point in ordered], [point["accuracy"] for point in ordered]
    )
    return float((mine > np.interp(grid, hull[:, 0], hull[:, 1])).mean())


def curves(found: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Points with their times, of one seed: ``instance``, ``static``, ``width``, ``exit``."""
    times = found["times"]
    made: dict[str, list[dict[str, Any]]] = {
        kind: [
            {key: value for key, value in found[name].items() if key != "points"} | times[name]
            for name in found
            if name.startswith(f"{kind}-")
        ]
        for kind in ("static", "width")
    }
    for kind in ("instance", "exit"):
        made[kind] = [
            {"of": name} | point | times[f"{name}-{index}"]
            for name in found
            if name.split("-")[0] == kind
            for index, point in enumerate(found[name]["points"])
        ]
    return made


def of_seed(found: Mapping[str, Any]) -> dict[str, Any]:
    """The comparisons of one seed; figures that are not defined are ``None``."""
    every = curves(found)
    instance, static = every["instance"], every["static"]
    figures: dict[str, Any] = {"curves": every}
    figures["static"] = [against(instance, point) for point in static]
    figures["above"] = {by: share_above(instance, static, by) for by in COSTS}
    figures["random"] = {
        kind: float(np.mean([point["accuracy"] - point[kind]["accuracy"] for point in instance]))
        for kind in ("permuted", "independent")
    }
    for kind, what in BASELINES.items():
        figures[kind] = [
            {f"{by}_gain": _less(at_cost(instance, point[by], by), point["accuracy"]) for by in COSTS}
            | {key: point[key] for key in (what, "accuracy", *COSTS)}
            for point in every[kind]
        ]
        figures[f"{kind}_above"] = {by: share_above(instance, every[kind], by) for by in COSTS}
    return figures


def against(instance: Sequence[Point], point: Point) -> dict[str, Any]:
    """An operating point of equal accuracy, and its costs as parts of a static network's.

    One that is more accurate counts only where it is cheaper, too.
    """
    found = at_accuracy(instance, point["accuracy"])
    ratios: dict[str, float | None] = dict.fromkeys((f"{by}_ratio" for by in COSTS), None)
    if found is not None:
        equal = found["accuracy"] <= point["accuracy"] + TOLERANCE
        ratios |= {f"{by}_ratio": found[by] / point[by] for by in COSTS if equal or found[by] <= point[by]}
    return {key: point[key] for key in ("accuracy", *COSTS)} | ratios


def _less(mine: float | None, other: float) -> float | None:
    return None if mine is None else mine - other


def mean(values: Sequence[float | None]) -> dict[str, Any] | None:
    """Mean and 95 % interval of those that are defined, and how many these are; ``None`` if none is."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    total = summarise(known)
    return {"mean": total.mean, "ci95": list(total.ci95), "of": len(known), "seeds": len(values)}
