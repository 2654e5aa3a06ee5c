"""Fronts of two objectives as lines: what lies on the worse side of one is dominated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def surface(
    points: Sequence[Sequence[float]], signs: Sequence[int], worst: Sequence[float]
) -> list[tuple[float, float]]:
    """Corners of the line between what points dominate and what they do not.

    Args:
        points: none of which dominates another, ``(n, 2)`` in the objectives' own units.
        signs: 1 where larger is better, -1 where smaller is.
        worst: of both objectives, to which the line goes on.
    """
    ascending = sorted((signs[0] * x, signs[1] * y) for x, y in points)
    if not ascending:
        return []
    corners = [(signs[0] * worst[0], ascending[0][1])]
    for at, (x, y) in enumerate(ascending):
        following = ascending[at + 1][1] if at + 1 < len(ascending) else signs[1] * worst[1]
        corners += [(x, y), (x, following)]
    return [(signs[0] * x, signs[1] * y) for x, y in corners]


def draw_surface(
    axes: Axes, points: Sequence[Sequence[float]], signs: Sequence[int], worst: Sequence[float], **look: Any
) -> None:
    """Draws the line of ``surface``; nothing without points."""
    if corners := surface(points, signs, worst):
        x, y = zip(*corners, strict=True)
        axes.plot(x, y, **look)
