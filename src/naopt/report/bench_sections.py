"""Sections of the pages of comparisons, of one objective or of several."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from naopt.bench.summary import checkpoint_columns
from naopt.measurement import Goal
from naopt.report.bench_elements import Document, decimals_of, interval
from naopt.report.elements import duration, flat, number, rows_table, section


def limits_line(document: Document) -> str:
    """Which limits there are; nothing without any."""
    if not document.get("limits"):
        return ""
    listed = " and ".join(
        f"{one['metric']} {'at most' if one['bound'] == 'max' else 'at least'} {number(one['value'])}"
        for one in document["limits"]
    )
    return f"<p>limits: {escape(listed)} · {document['rows_within']:,} rows keep them, and no other counts</p>"


def limited(document: Document) -> str:
    """With limits: queries that broke one, and what was passed over without a query."""
    if not document.get("limits"):
        return ""
    rows = []
    for name, found in document["searchers"].items():
        broken, pruned, queries = (found[f"{key}_per_trial"] for key in ("infeasible", "pruned", "queries"))
        trials = len(broken)
        rows.append(
            (
                name,
                f"{sum(broken) / trials:.4g} of {sum(queries) / trials:.4g}",
                f"{sum(pruned) / trials:,.4g}",
            )
        )
    note = (
        "Mean of the trials. What breaks a limit on a cost that is known beforehand is passed over: it costs no query. "
        "Nothing that breaks a limit is ever selected."
    )
    columns = ("searcher", "queries that broke a limit", "passed over without a query")
    return section("Limits", rows_table(columns, rows, numeric=(1, 2)) + f'<p class="note">{note}</p>')


def paired(document: Document, goal: Goal) -> str:
    """Differences to one searcher, trial by trial."""
    if not document["paired"]:
        return ""
    points, against = checkpoint_columns(document["checkpoints"]), document["against"]
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
        f"zero is {'worse' if goal == 'max' else 'better'}. + = \u2212: trials that were better, equal and "
        "worse. p: Wilcoxon's signed-rank test, two-sided, not corrected for how many tests there are."
    )
    return section(
        f"Difference to {against}",
        rows_table(columns, rows, numeric=range(1, len(columns))) + f'<p class="note">{note}</p>',
    )


def origins(document: Document) -> str:
    """Where the queries of each searcher came from, and what these earned."""
    found = {name: searcher["origins"] for name, searcher in document["searchers"].items()}
    names = list(dict.fromkeys(origin for own in found.values() for origin in own))

    def cell(count: Mapping[str, int] | None, all_queries: int) -> str:
        if count is None:
            return number(None)
        return f"{100 * count['queries'] / all_queries:.0f} %, {count['improved']:,} of {count['queries']:,}"

    rows = [
        (name, *(cell(own.get(origin), sum(count["queries"] for count in own.values())) for origin in names))
        for name, own in found.items()
    ]
    note = (
        "Share of a searcher's queries, and how many of them improved: were better than all before them in their "
        "trial. All trials together."
    )
    return section(
        "Where the queries came from",
        rows_table(("searcher", *names), rows, numeric=range(1, len(names) + 1)) + f'<p class="note">{note}</p>',
    )


def times(document: Document) -> str:
    """What a trial of each searcher takes."""
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


def settings(document: Document) -> str:
    """Every setting of every searcher."""
    rows = [
        (name, key, value) for name, found in document["searchers"].items() for key, value in flat(found["settings"])
    ]
    return section("Settings", rows_table(("searcher", "setting", "value"), rows, wide=(2,))) if rows else ""
