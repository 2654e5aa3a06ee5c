"""Searches with simulated workers on the page of a comparison."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from naopt.report.bench_elements import Document, decimals_of, figures, interval, table_name
from naopt.report.curves import Curve, curves_chart
from naopt.report.elements import number, rows_table, section

if TYPE_CHECKING:
    from naopt.bench import SearchTrial


def simulated(document: Document) -> str:
    """The section; nothing if there was no simulation."""
    found = document["simulated"]
    if found is None:
        return ""
    drawn = [
        (
            wall_chart(document, workers),
            f"{_workers(workers)}",
            f"Regret of {document['report_metric']} over simulated time; band: 95 % interval of the mean.",
        )
        for workers in map(str, found["workers"])
    ]
    note = (
        f"Durations: {found['durations']}. What the searcher computes takes no simulated time. Busy: share of all "
        "worker time that was spent on evaluations; until the last began: the same up to the time when a worker took "
        "the last evaluation up, after which there is no work left to give. Half, all: of the wall time after which "
        "the quickest of the searches with as many workers is done; one that has ended keeps what it selected. Queries "
        "count as their results come."
    )
    return section(
        "Simulated workers",
        _table(document)
        + f'<p class="note">{escape(note)}</p><div class="figures">{figures(drawn)}</div>'
        + _paired(document),
    )


def wall_chart(document: Document, workers: str) -> str | None:
    """Mean regret over simulated time of all searches with so many workers; ``None`` if nothing was measured."""
    found = document["simulated"]
    curves = {
        _label(name, schedule, found): Curve(
            found["wall"][workers], *(one["report_regret"][k] for k in ("mean", "ci95"))
        )
        for name, own in found["searchers"].items()
        for schedule, one in own[workers].items()
    }
    unit = f" ({document['unit']})" if document["unit"] else ""
    return curves_chart(
        f"wall-{workers}",
        f"Mean regret of {document['report_metric']} over simulated time, {_workers(workers)}",
        curves,
        x_label=f"simulated wall time{_of(found)}",
        y_label=f"mean regret, {document['report_metric']}{unit}",
        log_y=True,
    )


def simulated_csv(document: Document, trials: Sequence[SearchTrial]) -> str:
    """A row a trial of the crews that were simulated."""
    found = document["simulated"]
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(
        ["table", "searcher", "trial", "workers", "schedule", "batch", "queries", "queries_to_optimum", "wall",
         "wall_to_optimum", "busy", "last_begun", "busy_before_last", "seconds"]
    )  # fmt: skip
    for trial in trials:
        one, crew = trial.timing, trial.crew
        if one is None or crew.workers not in found["workers"] or crew.schedule not in found["schedules"]:
            continue
        rows.writerow(
            [table_name(document), trial.searcher, trial.trial, crew.workers, crew.schedule, crew.batch, trial.queries,
             trial.queries_to_optimum, one.wall, one.optimum, one.busy, one.last_begun, one.busy_before, trial.seconds]
        )  # fmt: skip
    return out.getvalue()


def _workers(count: str) -> str:
    return "1 worker" if count == "1" else f"{count} workers"


def _of(found: Mapping[str, Any]) -> str:
    return f" ({found['unit']})" if found["unit"] else ""


def _label(name: str, schedule: str, found: Mapping[str, Any]) -> str:
    """A searcher of a page; with its schedule where there are two."""
    return name if len(found["schedules"]) == 1 else f"{name}, {schedule}"


def _table(document: Document) -> str:
    found, budget = document["simulated"], document["budget"]
    searches = [
        (workers, name, schedule, one)
        for workers in map(str, found["workers"])
        for name, own in found["searchers"].items()
        for schedule, one in own[workers].items()
    ]
    points = [len(found["fractions"]) // 2 - 1, len(found["fractions"]) - 1]
    decimals = decimals_of(one["ci95"][i] for *_, one in searches for i in points)
    rows = [
        (
            workers,
            name,
            schedule,
            *(_per_cent(one[key]) for key in ("busy", "busy_before_last")),
            number(sum(one["wall_per_trial"]) / len(one["wall_per_trial"])),
            *(interval(one["mean_report_metric"][i], one["ci95"][i], decimals) for i in points),
            f"> {budget}" if (median := one["median_queries_to_optimum"]) is None else number(median),
            number(one["query_ratio"]),
            number(one["median_wall_to_optimum"]),
        )
        for workers, name, schedule, one in searches
    ]
    columns = ("workers", "searcher", "schedule", "busy", "until the last began", f"wall time{_of(found)}", "half",
               "all", "queries to the optimum", "of one worker's", f"time to it{_of(found)}")  # fmt: skip
    return rows_table(columns, rows, numeric=(0, *range(3, len(columns))))


def _per_cent(share: Mapping[str, Any] | None) -> str:
    return number(None) if share is None else f"{100 * share['mean']:.1f} %"


def _paired(document: Document) -> str:
    found = document["simulated"]
    pairs = [(name, workers, pair) for name, own in found["paired"].items() for workers, pair in own.items()]
    if not pairs:
        return ""
    points = [len(found["fractions"]) // 2 - 1, len(found["fractions"]) - 1]
    decimals = decimals_of(pair["ci95"][i] for *_, pair in pairs for i in points)
    rows = [
        (
            name,
            workers,
            *(
                cell
                for i in points
                for cell in (
                    interval(pair["mean_difference"][i], pair["ci95"][i], decimals, sign=True),
                    " \u00b7 ".join(number(pair[key][i]) for key in ("better", "equal", "worse")),
                )
            ),
        )
        for name, workers, pair in pairs
    ]
    columns = ("searcher", "workers", "at half", "+ \u00b7 = \u00b7 \u2212", "at all", "+ \u00b7 = \u00b7 \u2212")
    note = (
        f"{document['report_metric']}, async less rounds at equal wall time, trial by trial, and its 95 % interval. "
        "+ = \u2212: trials in which async was better, equal and worse."
    )
    return rows_table(columns, rows, numeric=range(1, len(columns))) + f'<p class="note">{escape(note)}</p>'
