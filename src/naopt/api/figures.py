"""Figures of results, for notebooks and files. Drawn without pyplot: no global state is changed."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure

from naopt.report.charts import INK, chart_style, draw_trajectory
from naopt.report.curves import styles
from naopt.report.summary import drawable, value_of
from naopt.run.record import RunRecord

_DOTS = 150
"""Per inch, of what a notebook shows."""


class ShownFigure(Figure):
    """A figure that a notebook shows, also without pyplot."""

    def _repr_png_(self) -> bytes:
        out = io.BytesIO()
        self.savefig(out, format="png", dpi=_DOTS)
        return out.getvalue()


def trajectory_figure(record: RunRecord) -> Figure:
    """The best value so far over evaluations, and every value as a dot."""
    with chart_style():
        figure = ShownFigure(figsize=(6.4, 3.7), layout="constrained")
        axes = figure.subplots()
        if any(value_of(record, trial) is not None for trial in record.evaluated):
            draw_trajectory(axes, record)
        else:
            axes.set(xlabel="queries", ylabel=record.objective.metric, title="nothing measured")
    return figure


def regret_figure(document: Mapping[str, Any]) -> Figure:
    """Mean regret of the report metric, or of hypervolume, over queries, with its interval, a line a searcher."""
    several = "objectives" in document
    points, look = document["checkpoints"], styles(list(document["searchers"]), "random")
    with chart_style():
        figure = ShownFigure(figsize=(6.4, 3.9), layout="constrained")
        axes = figure.subplots()
        for name, found in document["searchers"].items():
            regret, style = found["hypervolume_regret" if several else "report_regret"], look[name]
            known = [at for at, mean in enumerate(regret["mean"]) if mean is not None]
            x, y = [points[at] for at in known], [drawable(regret["mean"][at]) for at in known]
            axes.plot(x, y, color=style.colour, linestyle=style.dashes, linewidth=style.width, label=name)
            low, high = ([drawable(regret["ci95"][at][end]) for at in known] for end in (0, 1))
            axes.fill_between(x, low, high, color=style.colour, alpha=0.12, linewidth=0)
        unit = f" ({document['unit']})" if document.get("unit") else ""
        what = "hypervolume" if several else f"{document['report_metric']}{unit}"
        axes.set(xlabel="queries", ylabel=f"mean regret, {what}")
        axes.set_ylim(bottom=0)
        axes.set_title(f"{document['table']}, {document['trials']} trials", loc="left", color=INK)
        axes.legend(loc="best")
    return figure
