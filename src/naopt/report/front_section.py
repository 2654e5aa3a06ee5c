"""The front of a search with several objectives: what can be had, in plots and in a table with every architecture."""

from __future__ import annotations

from html import escape
from itertools import combinations
from typing import TYPE_CHECKING

from naopt.report.bench_elements import figures
from naopt.report.charts import INK, MAIN, SECOND, svg
from naopt.report.elements import number, section
from naopt.report.front_chart import draw_surface
from naopt.report.summary import drawable
from naopt.spaces.drawing import draw_graph

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from naopt.execution.trial import Trial
    from naopt.problem import Objective
    from naopt.run.record import RunRecord

_HOVER = "Point at a dot to see its cell, press it for its row."


def front_section(record: RunRecord) -> str:
    """A plot of each pair of objectives, and the members of the front, the knee marked, each drawn."""
    front, knee = record.front(), record.knee()
    if not front:
        return section("Front", '<p class="warn">No evaluation has ended well yet.</p>')
    pairs = list(combinations(record.problem.objectives, 2))
    drawn: list[tuple[str | None, str, str]] = [
        (
            _plot(record, front, knee, first, second, line=len(record.problem.objectives) == 2),
            f"{first.metric} and {second.metric}",
            f"Blue: no other is better in every objective; ringed: the knee. {_HOVER}",
        )
        for first, second in pairs
    ]
    note = (
        f"{len(front):,} of {len(record.evaluated):,} evaluations. The knee lies farthest above the plane through 1 of "
        "each objective, on scales from the worst (0) to the best (1) of the front."
    )
    note += f" {escape(record.latencies)}." if record.latencies else ""
    body = f'<div class="figures">{figures(drawn)}</div>{_table(record, front, knee)}<p class="note">{note}</p>'
    return section("Front", body)


def _plot(
    record: RunRecord, front: list[Trial], knee: Trial | None, first: Objective, second: Objective, *, line: bool
) -> str:
    members = {trial.index for trial in front}
    found = [
        (trial.index, drawable(metrics[first.metric]), drawable(metrics[second.metric]))
        for trial in record.evaluated
        if trial.measurement is not None
        and trial.measurement.ok
        and {first.metric, second.metric} <= (metrics := trial.measurement.metrics).keys()
    ]

    def draw(axes: Axes) -> None:
        for chosen, colour, size, label in ((False, INK, 14, "others"), (True, MAIN, 26, "front")):
            points = [(x, y, index) for index, x, y in found if (index in members) == chosen]
            if points:
                xs, ys, rows = zip(*points, strict=True)
                strength = 0.9 if chosen else 0.45
                dots = axes.scatter(xs, ys, s=size, alpha=strength, linewidths=0, color=colour, label=label, zorder=3)
                dots.set_urls([f"#a{row}" for row in rows])
        best = [(x, y) for index, x, y in found if index in members]
        if line:
            signs = first.sign, second.sign
            columns = zip(*best, strict=True)
            worst = [sign * min(sign * v for v in values) for sign, values in zip(signs, columns, strict=True)]
            draw_surface(axes, best, signs, worst, color=MAIN, linewidth=1.0, alpha=0.6)
        for index, x, y in found:
            if knee is not None and index == knee.index:
                axes.scatter(x, y, s=90, facecolors="none", edgecolors=SECOND, linewidths=1.6, label="knee")
        axes.set(xlabel=_label(first), ylabel=_label(second))
        axes.legend(loc="best")

    name = f"front-{record.problem.objectives.index(first)}-{record.problem.objectives.index(second)}"
    return svg(name, f"{escape(first.metric)} against {escape(second.metric)}", draw)


def _label(objective: Objective) -> str:
    return f"{objective.metric} ({'higher' if objective.goal == 'max' else 'lower'} is better)"


def _table(record: RunRecord, front: list[Trial], knee: Trial | None) -> str:
    names = [objective.metric for objective in record.problem.objectives]
    head = "".join(f"<th class=n>{escape(name)}</th>" for name in names)
    rows = []
    for trial in front:
        assert trial.measurement is not None
        picture = draw_graph(record.space.graph(trial.architecture), styled=False)
        values = "".join(f'<td class="n">{number(trial.measurement.metrics[name])}</td>' for name in names)
        rows.append(
            f'<tr{" class=best" if trial is knee else ""}><td class="member">{picture}</td>'
            f'<td class="n"><a href="#a{trial.index}">{trial.index}</a>{" (knee)" if trial is knee else ""}</td>'
            f'{values}<td class="arch">{escape(trial.text)}</td></tr>'
        )
    return (
        f'<div class="scroll"><table id="front"><thead><tr><th>picture</th><th class=n>query</th>{head}'
        f"<th>architecture</th></tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )
