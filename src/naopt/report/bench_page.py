"""What a comparison of searchers found: one HTML page, one figure, one table of trials, and all of it as JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
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
from naopt.report.elements import duration, flat, number, rows_table, section
from naopt.report.simulated_section import simulated, simulated_csv

if TYPE_CHECKING:
    from naopt.bench import SearchTrial


def write_bench(document: Document, trials: Sequence[SearchTrial], folder: Path) -> None:
    """Writes ``bench.json``, ``trials.csv``, ``report.html`` and ``regret.svg``; replaces older ones.

    With simulated workers ``simulated.csv`` too, which holds those trials.

    Args:
        document: what ``naopt bench --json`` says.
        trials: what it was made from.
        folder: is there.

    Raises:
        NotWrittenError: a file cannot be written.
    """
    from naopt.values import plain

    files = {
        "bench.json": json.dumps(plain(document), indent=1, allow_nan=False) + "\n",
        "trials.csv": trials_csv(document, trials),
        "report.html": render_bench(document),
    }
    if document["simulated"] is not None:
        files["simulated.csv"] = simulated_csv(document, trials)
    figure = regret_chart(document, "report_regret", alone=True)
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
    parts = (_header, _means, _paired, _curves, _optimum, simulated, _origins, _time, _settings)
    return page(f"naopt bench · {table_name(document)}", [part(document) for part in parts], document)


def _header(document: Document) -> str:
    names = list(document["searchers"])
    better = "higher" if document["goal"] == "max" else "lower"
    noise = ", one repeat seen a query" if document["noise"] == "repeat" else ""
    title = f"{len(names)} searchers" if len(names) > 1 else names[0]
    return (
        f"<header><h1>{escape(title)} on {escape(table_name(document))}</h1>"
        f"<p>searched by {escape(document['metric'])}{noise} · reported {escape(document['report_metric'])} of what "
        f"that selects ({better} is better)</p>{surrogate_warning(document)}"
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


def _points(document: Document) -> list[int]:
    return checkpoint_columns(document["checkpoints"])


def _means(document: Document) -> str:
    points = _points(document)
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


def _paired(document: Document) -> str:
    if not document["paired"]:
        return ""
    points, against = _points(document), document["against"]
    decimals = decimals_of(pair["ci95"][i] for pair in document["paired"].values() for i in points)
    rows = [
        (
            name,
            *(
                cell
                for i in points
                for cell in (
                    interval(pair["mean_difference"][i], pair["ci95"][i], decimals, sign=True),
                    " \u00b7 ".join(number(pair[key][i]) for key in ("better", "equal", "worse")),
                    number(None) if pair["p_wilcoxon"][i] is None else f"{pair['p_wilcoxon'][i]:.2g}",
                )
            ),
        )
        for name, pair in document["paired"].items()
    ]
    columns = ["searcher"]
    for i in points:
        columns += [f"at {document['checkpoints'][i]}", "+ \u00b7 = \u00b7 \u2212", "p"]
    note = (
        "Mean difference at so many queries, trial by trial (both had the same seed), and its 95 % interval; below "
        f"zero is {'worse' if document['goal'] == 'max' else 'better'}. + = \u2212: trials that were better, equal and "
        "worse. p: Wilcoxon's signed-rank test, two-sided, not corrected for how many tests there are."
    )
    return section(
        f"Difference to {against}",
        rows_table(columns, rows, numeric=range(1, len(columns))) + f'<p class="note">{note}</p>',
    )


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


def _origins(document: Document) -> str:
    found = {name: searcher["origins"] for name, searcher in document["searchers"].items()}
    origins = list(dict.fromkeys(origin for own in found.values() for origin in own))

    def cell(count: Mapping[str, int] | None, all_queries: int) -> str:
        if count is None:
            return number(None)
        return f"{100 * count['queries'] / all_queries:.0f} %, {count['improved']:,} of {count['queries']:,}"

    rows = [
        (name, *(cell(own.get(origin), sum(count["queries"] for count in own.values())) for origin in origins))
        for name, own in found.items()
    ]
    note = (
        "Share of a searcher's queries, and how many of them improved: were better than all before them in their "
        "trial. All trials together."
    )
    return section(
        "Where the queries came from",
        rows_table(("searcher", *origins), rows, numeric=range(1, len(origins) + 1)) + f'<p class="note">{note}</p>',
    )


def _time(document: Document) -> str:
    rows = []
    for name, found in document["searchers"].items():
        whole, own = found["seconds_per_trial"], found["searcher_seconds_per_trial"]
        rows.append(
            (
                name,
                *(duration(value) for value in (sum(whole) / len(whole), min(whole), max(whole), sum(own) / len(own))),
            )
        )
    columns = ("searcher", "mean", "least", "most", "mean without look-ups")
    return section("Time of a trial", rows_table(columns, rows, numeric=range(1, len(columns))))


def _settings(document: Document) -> str:
    rows = [
        (name, key, value) for name, found in document["searchers"].items() for key, value in flat(found["settings"])
    ]
    return section("Settings", rows_table(("searcher", "setting", "value"), rows, wide=(2,))) if rows else ""
