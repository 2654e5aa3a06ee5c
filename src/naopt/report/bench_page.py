"""What a comparison of searchers found: one HTML page, one figure, one table of trials, and all of it as JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from naopt.bench.crews import ALONE
from naopt.bench.summary import checkpoint_columns
from naopt.metrics import interval_method
from naopt.report.bench_charts import found_chart, regret_chart
from naopt.report.bench_elements import (
    Document,
    decimals_of,
    facts,
    figures,
    interval,
    page,
    surrogate_warning,
    table_name,
    write_files,
)
from naopt.report.bench_sections import limited, limits_line, origins, paired, settings, times
from naopt.report.elements import number, rows_table, section
from naopt.report.fronts_page import fronts_csv, render_fronts, volume_chart
from naopt.report.simulated_section import simulated, simulated_csv

if TYPE_CHECKING:
    from naopt.bench import SearchTrial


def write_bench(document: Document, trials: Sequence[SearchTrial], folder: Path) -> None:
    """Writes ``bench.json``, ``trials.csv``, ``report.html`` and ``regret.svg``; replaces older ones.

    With simulated workers ``simulated.csv`` too, which holds those trials. Of several objectives the page is that of
    ``render_fronts``.

    Args:
        document: what ``naopt bench --json`` says.
        trials: what it was made from.
        folder: is there.

    Raises:
        NotWrittenError: a file cannot be written.
    """
    from naopt.values import plain

    several = "objectives" in document
    files = {
        "bench.json": json.dumps(plain(document), indent=1, allow_nan=False) + "\n",
        "trials.csv": fronts_csv(document, trials) if several else trials_csv(document, trials),
        "report.html": render_fronts(document) if several else render_bench(document),
    }
    if document.get("simulated") is not None:
        files["simulated.csv"] = simulated_csv(document, trials)
    figure = volume_chart(document, alone=True) if several else regret_chart(document, "report_regret", alone=True)
    write_files(folder, files | ({"regret.svg": figure + "\n"} if figure else {}))


def trials_csv(document: Document, trials: Sequence[SearchTrial]) -> str:
    """A row a trial with one worker; the metrics at each checkpoint stand in columns of their own."""
    points = document["checkpoints"]
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(
        ["table", "searcher", "trial", "queries", "queries_to_optimum", "seconds", "searcher_seconds"]
        + [f"{which}@{point}" for which in ("search_metric", "report_metric") for point in points]
    )
    for trial in (trial for trial in trials if trial.crew == ALONE):
        rows.writerow(
            [
                table_name(document),
                trial.searcher,
                trial.trial,
                trial.queries,
                trial.queries_to_optimum,
                trial.seconds,
                trial.searcher_seconds,
                *trial.search_metric,
                *trial.report_metric,
            ]
        )
    return out.getvalue()


def render_bench(document: Document) -> str:
    """The page as HTML text."""
    parts = (_header, _means, _differences, _curves, _optimum, limited, simulated, origins, times, settings)
    return page(f"naopt bench · {table_name(document)}", [part(document) for part in parts], document)


def _header(document: Document) -> str:
    names = list(document["searchers"])
    better = "higher" if document["goal"] == "max" else "lower"
    noise = ", one repeat seen a query" if document["noise"] == "repeat" else ""
    title = f"{len(names)} searchers" if len(names) > 1 else names[0]
    return (
        f"<header><h1>{escape(title)} on {escape(table_name(document))}</h1>"
        f"<p>searched by {escape(document['metric'])}{noise} · reported {escape(document['report_metric'])} of what "
        f"that selects ({better} is better)</p>{limits_line(document)}{surrogate_warning(document)}"
        + facts(
            [
                ("queries a trial", f"{document['budget']:,}"),
                ("trials a searcher", f"{document['trials']:,}"),
                ("seed", str(document["seed"])),
                ("best of the table", number(document["optimum"]["report_metric"])),
            ]
        )
        + "</header>"
    )


def _means(document: Document) -> str:
    points = checkpoint_columns(document["checkpoints"])
    unit = f", {document['unit']}" if document["unit"] else ""
    decimals = decimals_of(found["ci95"][i] for found in document["searchers"].values() for i in points)
    rows = [
        (name, *(interval(found["mean_report_metric"][i], found["ci95"][i], decimals) for i in points))
        for name, found in document["searchers"].items()
    ]
    columns = ("searcher", *(f"{document['checkpoints'][i]} queries" for i in points))
    method = interval_method(document["trials"])
    note = f"Mean over {document['trials']} trials and its 95 % interval ({method})."
    return section(
        f"{document['report_metric']}{unit}",
        rows_table(columns, rows, numeric=range(1, len(columns))) + f'<p class="note">{note}</p>',
    )


def _differences(document: Document) -> str:
    return paired(document, document["goal"])


def _curves(document: Document) -> str:
    band = "Band: 95 % interval of the mean. Regret is the distance to the best of the table."
    drawn = [(regret_chart(document, "report_regret"), f"Regret of {document['report_metric']}", band)]
    if document["metric"] != document["report_metric"]:
        drawn.append((regret_chart(document, "search_regret"), f"Regret of {document['metric']}", band))
    drawn.append((found_chart(document), "Optimum found", f"The table's best {document['metric']} was looked up."))
    body = figures(drawn)
    return section("Over queries", f'<div class="figures">{body}</div>') if body else ""


def _optimum(document: Document) -> str:
    budget = document["budget"]
    rows = []
    for name, found in document["searchers"].items():
        low, high = (f"> {budget}" if q is None else number(q) for q in found["median_queries_to_optimum_ci95"])
        median = found["median_queries_to_optimum"]
        rows.append(
            (
                name,
                f"{found['optimum_found']} of {document['trials']}",
                f"> {budget}" if median is None else number(median),
                f"[{low}, {high}]",
            )
        )
    note = f"Of the best {document['metric']} of the table. A trial that has not found it counts as beyond {budget}."
    return section(
        "Queries to the optimum",
        rows_table(("searcher", "found", "median", "95 % interval"), rows, numeric=(1, 2, 3))
        + f'<p class="note">{escape(note)}</p>',
    )
