"""The report's section on how shared weights were trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

from naopt.execution.training_progress import read_curve
from naopt.report.charts import MAIN, SECOND, svg
from naopt.report.elements import json_block, section
from naopt.run.names import SUPERNET_CURVE

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes

_CHARTS: Mapping[str, tuple[str, ...]] = {
    "training loss of the paths": ("train_loss",),
    "entropy, nats": ("entropy",),
    "reward by shared weights": ("reward", "baseline"),
    "metric of the pool by shared weights": ("pool_best", "pool_mean"),
    "effective samples": ("effective_samples",),
    "log-likelihood, nats": ("log_likelihood",),
    "share of positions": ("derived_skip", "derived_none"),
}
"""Axis label to figures drawn together; all others have a chart of their own."""
_BESIDE = ("learning_rate", "rollbacks", "seconds", "stage")


def shared_training_section(directory: Path) -> str:
    """Charts of the training in a run's directory, as HTML; empty if no shared weights were trained there.

    Raises:
        InputError: the curve is damaged.
    """
    path = directory / SUPERNET_CURVE
    curve = read_curve(path) if path.is_file() else []
    if not curve:
        return ""
    names = list(dict.fromkeys(name for row in curve for name in row if name not in _BESIDE))
    known = {name for group in _CHARTS.values() for name in group}
    groups = {label: [name for name in group if name in names] for label, group in _CHARTS.items()}
    groups |= {name: [name] for name in names if name not in known}
    charts = "".join(f"<figure>{curve_chart(label, group, curve)}</figure>" for label, group in groups.items() if group)
    return section(
        "Training of the shared weights",
        f'<p class="note">{escape(_said(curve))}</p><div class="figures">{charts}</div>'
        + json_block("shared-training", curve),
    )


def _said(curve: Sequence[Mapping[str, float]]) -> str:
    epochs, returns = len(curve), int(curve[-1].get("rollbacks", 0))
    said = f"{epochs} epoch{'s' * (epochs != 1)}, each step on paths of some architectures."
    if returns:
        said += f" The weights diverged and went back to the last good epoch {returns} time{'s' * (returns != 1)}."
    return said


def curve_chart(label: str, names: Sequence[str], curve: Sequence[Mapping[str, float]]) -> str:
    """SVG text of figures over epochs; a figure that an epoch does not have is left out there."""
    from matplotlib.ticker import MaxNLocator

    def draw(axes: Axes) -> None:
        for name, colour in zip(names, (MAIN, SECOND), strict=False):
            points = [(epoch, row[name]) for epoch, row in enumerate(curve, 1) if name in row]
            marker = "o" if len(points) < 30 else ""
            axes.plot(
                *zip(*points, strict=True), color=colour, linewidth=1.6, marker=marker, markersize=3.5, label=name
            )
        axes.set(xlabel="epoch", ylabel=label)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        if len(names) > 1:
            axes.legend(loc="best")

    return svg("shared-" + "-".join(names), f"{', '.join(names)} over epochs", draw)
