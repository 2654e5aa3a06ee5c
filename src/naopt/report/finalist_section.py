"""The report's section on finalists: what the search measured against what longer training gave."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from naopt.report.charts import MAIN, SECOND, svg
from naopt.report.elements import code, duration, number, section
from naopt.report.summary import drawable
from naopt.run.finalist_figures import FinalistFigures, finalist_figures

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from naopt.run.record import RunRecord


def finalist_section(record: RunRecord) -> str:
    """A chart, and a row a finalist, the pick first; nothing where none is trained."""
    found = finalist_figures(record)
    if found is None:
        return ""
    how = f"trained with preset {found.preset}" if found.preset else "trained once more, with another seed"
    epochs = "" if found.epochs is None else f" ({found.epochs:,} epochs)"
    said = f"{len(found.rows)} of {found.wanted} were {how}{epochs}; the best of them is the pick. {found.sentence}."
    chart = _chart(found)
    figure = "" if chart is None else f'<div class="figures"><figure>{chart}</figure></div>'
    return section("Finalists", f'<p class="note">{escape(said)}</p>{figure}{_table(found)}')


def _table(found: FinalistFigures) -> str:
    same = " longer" if found.metric == found.search_metric else ""
    columns = ("query", f"{found.search_metric} in the search", found.metric + same, "parameters", "time")
    head = "".join(f"<th class=n>{escape(name)}</th>" for name in columns)
    rows = "".join(
        f'<tr><td class="n"><a href="#a{row.index}">{row.index}</a></td><td class="n">{number(row.search)}</td>'
        f'<td class="n">{number(row.trained)}{"" if row.error is None else f" ± {row.error:.2g}"}</td>'
        f'<td class="n">{number(None if row.params is None else int(row.params))}</td>'
        f'<td class="n">{duration(row.seconds)}</td><td class="wide">{code(row.architecture)}'
        f"{' ' + escape(row.reason) if row.reason else ''}</td></tr>"
        for row in found.rows
    )
    return (
        f'<div class="scroll"><table id="finalists"><thead><tr>{head}<th>architecture</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _chart(found: FinalistFigures) -> str | None:
    points = [(drawable(row.search), drawable(row.trained)) for row in found.rows if row.trained is not None]
    if len(points) < 2:
        return None

    def draw(axes: Axes) -> None:
        for some, colour, label in ((points[1:], MAIN, "finalists"), (points[:1], SECOND, "the pick")):
            x, y = zip(*some, strict=True)
            axes.scatter(x, y, s=30, alpha=0.85, linewidths=0, color=colour, label=label)
        axes.set(xlabel=f"{found.search_metric} in the search", ylabel=f"{found.metric}, trained longer")
        axes.legend(loc="best")

    return svg("finalists", "Finalists: search against longer training", draw)
