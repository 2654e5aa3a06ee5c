"""Curves of several competitors (searchers, models) in one chart, each with its name at its end.

Colours are those of Tol's "vibrant" scheme (Paul Tol 2021, Colour Schemes), which differ for all kinds of colour
vision; what shares a colour differs in dashes and marker.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle, product
from typing import TYPE_CHECKING, Any

from naopt.report.charts import INK, svg
from naopt.report.summary import drawable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_OWN = "nao"
_BLUE = "#0077bb"
_COLOURS = ("#ee7733", "#009988", "#cc3311", "#33a5d6", "#ee3377")
_DASHES = ("-", (0, (5, 2)), (0, (1.5, 1.5)), (0, (6, 2, 1, 2)))
_MARKERS = ("o", "s", "^", "D")
_GAP = 0.062
_FEW = 5
_STEPS = (1.0, 2.0, 5.0)


@dataclass(frozen=True, slots=True)
class Style:
    """How one competitor is drawn, in every chart of a page."""

    colour: str
    dashes: Any
    marker: str
    width: float


@dataclass(frozen=True, slots=True)
class Curve:
    """Values of one competitor.

    Attributes:
        x: increasing, equally long as all others.
        y: mean; ``None`` where there is none.
        band: interval of the mean; ``None`` where there is none. No band is drawn if it is empty.
    """

    x: Sequence[float]
    y: Sequence[float | None]
    band: Sequence[Sequence[float] | None] = ()


def styles(names: Sequence[str], reference: str | None = None) -> dict[str, Style]:
    """A style for each: NAO stands out, the reference that others are measured by stays back."""
    others = cycle(product(zip(_DASHES, _MARKERS, strict=True), _COLOURS))
    found = {}
    for name in names:
        if name == _OWN:
            found[name] = Style(_BLUE, "-", "o", 2.4)
        elif name == reference:
            found[name] = Style(INK, "-", "o", 1.5)
        else:
            (dashes, marker), colour = next(others)
            found[name] = Style(colour, dashes, marker, 1.5)
    return found


def curves_chart(
    name: str,
    label: str,
    curves: Mapping[str, Curve],
    *,
    x_label: str,
    y_label: str,
    log_x: bool = False,
    log_y: bool = False,
    step: bool = False,
    title: str = "",
    bounds: tuple[float, float] | None = None,
    reference: str | None = None,
) -> str | None:
    """SVG text of the curves; ``None`` if none has a value.

    Args:
        name: of the chart, unique on its page.
        label: what it shows, for those who cannot see it.
        curves: by competitor.
        x_label: of the axis.
        y_label: of the axis.
        log_x: logarithmic; ticks stand at the values of the curves.
        log_y: logarithmic, for values that are never negative; zero lies at the lower end and is marked there.
        step: values hold until the next one.
        title: above the chart, for one that stands alone.
        bounds: of the vertical axis; from the curves if left out.
        reference: the competitor that the others are measured by, drawn in grey.
    """
    drawn = {key: _drawable(curve) for key, curve in curves.items() if any(value is not None for value in curve.y)}
    if not drawn:
        return None
    look = styles(list(curves), reference)
    floor = _floor(drawn) if log_y else None

    def draw(axes: Axes) -> None:
        strength = 0.12 if len(drawn) <= _FEW else 0.05
        ends = {key: _draw(axes, curve, look[key], floor, strength, step) for key, curve in drawn.items()}
        axes.set(xlabel=x_label, ylabel=y_label)
        if title:
            axes.set_title(title, loc="left", color=INK)
        axes.margins(x=0.01)
        if log_x:
            _log_x(axes, sorted({x for curve in drawn.values() for x in curve.x}))
        if bounds is not None:
            axes.set_ylim(*bounds)
        if floor is not None:
            _log_y(axes, drawn, floor)
        _name(axes, ends, look, markers=not step)

    return svg(name, label, draw, (7.4, max(3.9, 0.7 + 0.26 * len(drawn))))


def _drawable(curve: Curve) -> Curve:
    y = [None if value is None else drawable(value) for value in curve.y]
    return Curve(curve.x, y, [None if ends is None else [*map(drawable, ends)] for ends in curve.band])


def _floor(curves: Mapping[str, Curve]) -> float | None:
    """Where zero is drawn on a logarithmic axis; ``None`` if nothing is above zero."""
    positive = [value for curve in curves.values() for value in curve.y if value is not None and value > 0]
    return 0.6 * min(positive) if positive else None


def _draw(
    axes: Axes, curve: Curve, style: Style, floor: float | None, strength: float, step: bool
) -> tuple[float, ...]:
    """Draws one curve; returns its values, the last one first."""

    def above(value: float) -> float:
        return value if floor is None else max(value, floor)

    known = [i for i, value in enumerate(curve.y) if value is not None]
    x, y = [curve.x[i] for i in known], [above(value) for value in curve.y if value is not None]
    if step:
        axes.step(x, y, where="post", color=style.colour, linestyle=style.dashes, linewidth=style.width)
        return tuple(y[::-1])
    bands = [(curve.x[i], *map(above, ends)) for i, ends in enumerate(curve.band) if ends is not None]
    if bands:
        at, low, high = zip(*bands, strict=True)
        if len(at) == 1:
            axes.vlines(at, low, high, color=style.colour, linewidth=style.width, alpha=0.5)
        axes.fill_between(at, low, high, color=style.colour, alpha=strength, linewidth=0)
    every = max(1, len(x) // 8)
    axes.plot(
        x, y, color=style.colour, linestyle=style.dashes, linewidth=style.width, marker=style.marker, markersize=3.4,
        markevery=slice((len(x) - 1) % every, None, every),
    )  # fmt: skip
    return tuple(y[::-1])


def _log_x(axes: Axes, ticks: Sequence[float]) -> None:
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _log_y(axes: Axes, curves: Mapping[str, Curve], floor: float) -> None:
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    values = [value for curve in curves.values() for value in curve.y if value is not None]
    top = 1.25 * max(values)
    axes.set_ylim(floor, top)  # before the scale, whose margins are decades
    axes.set_yscale("log")
    exponents = range(math.floor(math.log10(floor)), math.ceil(math.log10(top)) + 1)
    ticks = [step * 10.0**exponent for exponent in exponents for step in _STEPS]
    axes.yaxis.set_major_locator(FixedLocator([tick for tick in ticks if 1.6 * floor < tick <= top]))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    if min(values) <= 0:
        axes.text(-0.012, 0, "0", transform=axes.transAxes, ha="right", va="center")


def _name(axes: Axes, ends: Mapping[str, tuple[float, ...]], look: Mapping[str, Style], *, markers: bool) -> None:
    """Names at the right, in the order of the curves from their ends backwards, with a sample of each line."""
    low, high = axes.get_ylim()
    log = axes.get_yscale() == "log"

    def place(value: float) -> float:
        """Height in the axes, 0 to 1."""
        share = math.log(value / low) / math.log(high / low) if log else (value - low) / (high - low)
        return min(1.0, max(0.0, share))

    names = sorted(ends, key=lambda name: ends[name])
    gap = min(_GAP, 1 / max(1, len(names) - 1))
    for name, height in zip(names, spread([place(ends[name][0]) for name in names], gap), strict=True):
        style = look[name]
        # Thin, from the curve's end to its sample.
        axes.plot(
            [1.005, 1.035], [place(ends[name][0]), height], transform=axes.transAxes, clip_on=False, color=style.colour,
            linewidth=0.6, alpha=0.7,
        )  # fmt: skip
        axes.plot(
            [1.035, 1.06, 1.085], [height] * 3, transform=axes.transAxes, clip_on=False, color=style.colour,
            linestyle=style.dashes, linewidth=style.width, marker=style.marker if markers else None, markersize=3.4,
            markevery=[1],
        )  # fmt: skip
        weight = "bold" if name == _OWN else "normal"
        axes.text(1.095, height, name, transform=axes.transAxes, va="center", fontsize=8.5, weight=weight)


def spread(heights: Sequence[float], gap: float) -> list[float]:
    """Increasing heights moved within 0 to 1 until they are ``gap`` apart; ``gap * (n - 1) <= 1``."""
    placed = list(heights)
    for i in range(1, len(placed)):
        placed[i] = max(placed[i], placed[i - 1] + gap)
    if placed and placed[-1] > 1:
        placed[-1] = 1.0
        for i in range(len(placed) - 2, -1, -1):
            placed[i] = min(placed[i], placed[i + 1] - gap)
    return placed
