"""``naopt bench`` with several objectives, or with limits: options, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from naopt.cli.common import print_table, say
from naopt.cli.figures import interval

ReferenceOption = Annotated[
    list[str] | None,
    typer.Option(
        "--reference",
        metavar="METRIC=N",
        help="Of several objectives: where hypervolume is measured from; by default a tenth of the table's range below "
        "its worst.",
    ),
]


def print_fronts(document: Mapping[str, Any]) -> None:
    """The document of several objectives, on standard output."""
    from naopt.bench import checkpoint_columns
    from naopt.report.bench_elements import surrogate_lines

    points, budget = checkpoint_columns(document["checkpoints"]), document["budget"]
    front = document["front"]
    scale = ", ".join(
        f"{one['metric']} from {one['worst']:.5g} to {one['best']:.5g}{' ' + one['unit'] if one['unit'] else ''} "
        f"(reference {one['reference']:.5g})"
        for one in document["objectives"]
    )
    say(
        f"{document['table']}: hypervolume of {document['metric']}, mean [95 % interval] over {document['trials']} "
        f"trials; the table's front of {front['points']} points has {front['hypervolume']:.5g}"
    )
    say(f"scale 0 to 1: {scale}")
    for line in (*limit_lines(document), *surrogate_lines(document)):
        say(line)
    print_table(
        (
            "searcher",
            *(f"{document['checkpoints'][i]} queries" for i in points),
            "share of the front's",
            "IGD+",
            "front found",
            "s/trial",
        ),
        [
            (
                name,
                *(interval(found["hypervolume"]["mean"][i], found["hypervolume"]["ci95"][i]) for i in points),
                f"{found['hypervolume_share']['mean'][-1]:.4f}",
                found["igd_plus"]["mean"][-1],
                f"{100 * found['front_found']['mean'][-1]:.3g} %",
                sum(found["seconds_per_trial"]) / document["trials"],
            )
            for name, found in document["searchers"].items()
        ],
    )
    for name, pair in document["paired"].items():
        say(
            f"{name} against {pair['against']} after {budget} queries, hypervolume: "
            f"{interval(pair['mean_difference'][-1], pair['ci95'][-1])}, better {pair['better'][-1]}, "
            f"equal {pair['equal'][-1]}, worse {pair['worse'][-1]}, p {pair['p_wilcoxon'][-1]:.2g} (Wilcoxon)"
        )
    print_limited(document)


def limit_lines(document: Mapping[str, Any]) -> list[str]:
    """Which limits there are; nothing without any."""
    if not document.get("limits"):
        return []
    listed = " and ".join(
        f"{one['metric']} {'<=' if one['bound'] == 'max' else '>='} {one['value']:g}" for one in document["limits"]
    )
    return [f"limits: {listed}, which {document['rows_within']:,} rows keep"]


def print_limited(document: Mapping[str, Any]) -> None:
    """With limits, a line for each searcher: queries that broke one, and what was passed over without a query."""
    if not document.get("limits"):
        return
    for name, found in document["searchers"].items():
        broken, pruned = found["infeasible_per_trial"], found["pruned_per_trial"]
        say(
            f"{name}: {sum(broken) / len(broken):.4g} queries a trial broke a limit, "
            f"architectures were passed over without one {sum(pruned) / len(pruned):,.0f} times"
        )
