"""The page of a comparison with several objectives."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from naopt.bench.summary import checkpoint_columns
from naopt.metrics import interval_method
from naopt.report.bench_elements import (
    Document,
    decimals_of,
    facts,
    figures,
    interval,
    page,
    surrogate_warning,
    table_name,
)
from naopt.report.bench_sections import limited, limits_line, origins, paired, settings, times
from naopt.report.charts import INK, svg
from naopt.report.curves import Curve, curves_chart, styles
from naopt.report.elements import number, rows_table, section
from naopt.report.front_chart import draw_surface

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from naopt.bench import SearchTrial

_REFERENCE = "random"
_MOST = 200
"""Members of a front that the page lists."""


def fronts_csv(document: Document, trials: Sequence[SearchTrial]) -> str:
    """A row a trial: the rows of its queries in order, and its hypervolume in the end."""
    volumes = {name: list(found["hypervolume_per_trial"]) for name, found in document["searchers"].items()}
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(["table", "searcher", "trial", "queries", "seconds", "searcher_seconds", "hypervolume", "rows"])
    for trial in trials:
        listed = " ".join("-" if row is None else str(row) for row in trial.rows or ())
        seconds = trial.seconds, trial.searcher_seconds
        volume = volumes[trial.searcher].pop(0)
        rows.writerow([table_name(document), trial.searcher, trial.trial, trial.queries, *seconds, volume, listed])
    return out.getvalue()


def render_fronts(document: Document) -> str:
    """The page as HTML text."""
    parts = [
        _header(document),
        _measures(document, "hypervolume_share", "Share of the front's hypervolume"),
        paired(document, "max").replace("Difference to", "Hypervolume, difference to", 1),
        _curves(document),
        _measures(document, "igd_plus", "IGD+, distance from the front"),
        _measures(document, "front_found", "Share of the front's points found"),
        limited(document),
        _scale(document),
        _front(document),
        origins(document),
        times(document),
        settings(document),
    ]
    return page(f"naopt bench · {table_name(document)}", parts, document)


def volume_chart(document: Document, *, alone: bool = False) -> str | None:
    """Mean hypervolume regret over queries, with its interval; with a title, for use outside the page."""
    curves = {
        name: Curve(document["checkpoints"], found["hypervolume_regret"]["mean"], found["hypervolume_regret"]["ci95"])
        for name, found in document["searchers"].items()
    }
    return curves_chart(
        "volume-alone" if alone else "volume",
        "Mean hypervolume regret over queries",
        curves,
        x_label="queries",
        y_label="mean hypervolume regret",
        log_y=True,
        title=f"{table_name(document)}, {document['trials']} trials" if alone else "",
        reference=_REFERENCE,
    )


def found_chart(document: Document) -> str | None:
    """Mean share of the front's points that were found, over queries."""
    curves = {
        name: Curve(
            document["checkpoints"],
            [100 * mean for mean in found["front_found"]["mean"]],
            [[100 * end for end in ends] for ends in found["front_found"]["ci95"]],
        )
        for name, found in document["searchers"].items()
    }
    return curves_chart(
        "front-found",
        "Share of the front's points that were found, over queries",
        curves,
        x_label="queries",
        y_label="points of the front found (%)",
        bounds=(-2.0, 102.0),
        reference=_REFERENCE,
    )


def attainment_chart(document: Document) -> str | None:
    """Of two objectives what half of the trials attain in the end, beside the table's front."""
    if len(document["objectives"]) != 2:
        return None
    first, second = document["objectives"]
    signs = tuple(1 if one["goal"] == "max" else -1 for one in (first, second))
    front = [[member["values"][one["metric"]] for one in (first, second)] for member in document["front"]["members"]]
    look = styles(list(document["searchers"]), _REFERENCE)

    def draw(axes: Axes) -> None:
        worst = first["worst"], second["worst"]
        draw_surface(axes, front, signs, worst, color=INK, linewidth=1.0, label="front of the table")
        x, y = zip(*front, strict=True)
        axes.scatter(x, y, s=14, color=INK, linewidths=0)
        for name, found in document["searchers"].items():
            one = look[name]
            draw_surface(
                axes, found["attained"], signs, worst,
                color=one.colour, linewidth=one.width, linestyle=one.dashes, label=name,
            )  # fmt: skip
        axes.set(xlabel=_label(first), ylabel=_label(second))
        axes.legend(loc="best")

    return svg("attainment", "What half of the trials attain", draw)


def _label(objective: Document) -> str:
    unit = f", {objective['unit']}" if objective["unit"] else ""
    return f"{objective['metric']}{unit} ({'higher' if objective['goal'] == 'max' else 'lower'} is better)"


def _header(document: Document) -> str:
    names = list(document["searchers"])
    title = f"{len(names)} searchers" if len(names) > 1 else names[0]
    wanted = " · ".join(map(_label, document["objectives"]))
    return (
        f"<header><h1>{escape(title)} on {escape(table_name(document))}</h1><p>{escape(wanted)}</p>"
        + limits_line(document)
        + surrogate_warning(document)
        + facts(
            [
                ("queries a trial", f"{document['budget']:,}"),
                ("trials a searcher", f"{document['trials']:,}"),
                ("seed", str(document["seed"])),
                ("front's hypervolume", number(document["front"]["hypervolume"])),
                ("front's points", f"{document['front']['points']:,}"),
            ]
        )
        + "</header>"
    )


def _measures(document: Document, which: str, title: str) -> str:
    points = checkpoint_columns(document["checkpoints"])
    decimals = decimals_of(found[which]["ci95"][i] for found in document["searchers"].values() for i in points)
    rows = [
        (name, *(interval(found[which]["mean"][i], found[which]["ci95"][i], max(decimals, 3)) for i in points))
        for name, found in document["searchers"].items()
    ]
    columns = ("searcher", *(f"{document['checkpoints'][i]} queries" for i in points))
    note = f"Mean over {document['trials']} trials and its 95 % interval ({interval_method(document['trials'])})."
    return section(title, rows_table(columns, rows, numeric=range(1, len(columns))) + f'<p class="note">{note}</p>')


def _curves(document: Document) -> str:
    band = "Band: 95 % interval of the mean."
    body = figures(
        [
            (volume_chart(document), "Hypervolume regret", f"Distance to that of the table's front. {band}"),
            (found_chart(document), "Front found", f"Different points of the table's front. {band}"),
            (
                attainment_chart(document),
                "Attained",
                f"Half of the trials have a point as good as each on the line after {document['budget']} queries.",
            ),
        ]
    )
    return section("Over queries", f'<div class="figures">{body}</div>')


def _scale(document: Document) -> str:
    rows = [
        (one["metric"], one["unit"], *(number(one[key]) for key in ("best", "worst", "reference")))
        for one in document["objectives"]
    ]
    columns = ("objective", "unit", "1 is", "0 is", "reference point")
    note = (
        f"Best and worst of the {document['rows']:,} rows that count; hypervolume counts from the reference point. "
        "Neither depends on what was compared."
    )
    return section("Scale", rows_table(columns, rows, numeric=(2, 3, 4)) + f'<p class="note">{note}</p>')


def _front(document: Document) -> str:
    front, names = document["front"], [one["metric"] for one in document["objectives"]]
    rows = [
        (
            str(member["row"]) + (" (knee)" if at == front["knee"] else ""),
            *(number(member["values"][name]) for name in names),
            member["architecture"],
        )
        for at, member in enumerate(front["members"][:_MOST])
    ]
    more = len(front["members"]) - len(rows)
    note = f'<p class="note">and {more:,} more, which bench.json has.</p>' if more > 0 else ""
    columns = ("row", *names, "architecture")
    body = rows_table(columns, rows, numeric=range(1, len(names) + 1), wide=(len(names) + 1,))
    return section("Front of the table", body + note)
