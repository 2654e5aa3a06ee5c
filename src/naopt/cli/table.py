"""``naopt table``: import and describe tables."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from naopt.cli.common import JsonOption, emit, print_table, say

if TYPE_CHECKING:
    from naopt.tables.summary import TableSummary

_LARGE = 10**7

table_app = typer.Typer(help="Import and describe tables of measured architectures.", no_args_is_help=True)


@table_app.command("import")
def import_table(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="What SOURCE is: csv, hw-nas-bench, nasbench201.")],
    source: Annotated[Path, typer.Argument(metavar="SOURCE", help="The file or folder to read.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The naopt-table (.npz) to write.")],
    metric: Annotated[
        list[str] | None,
        typer.Option(
            "--metric", metavar="NAME[:max|min[:UNIT]]", help="A column that is a metric; repeat. Others are choices."
        ),
    ] = None,
    space: Annotated[
        str | None,
        typer.Option("--space", metavar="S", help="Of a csv file: one column holds architectures of S as text."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Make a naopt-table of another file."""
    from naopt.errors import InputError
    from naopt.spaces import create_space
    from naopt.tables import parse_metric, run_importer, save_table

    metrics = {}
    for text in metric or []:
        name, info = parse_metric(text)
        if name in metrics:
            raise InputError("--metric", name, "is named twice")
        metrics[name] = info
    table = run_importer(kind, source, metrics, create_space(space) if space else None)
    save_table(table, out)
    if as_json:
        emit(
            {
                "table": str(out),
                "rows": len(table),
                "positions": len(table.space.positions),
                "metrics": list(table.infos),
            }
        )
    else:
        say(f"{out}: {len(table)} architectures, {len(table.space.positions)} positions, {', '.join(table.infos)}")


@table_app.command("info")
def table_info(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A naopt-table, or the name of a built-in one.")],
    as_json: JsonOption = False,
) -> None:
    """Say what a table holds: space, rows, metrics, agreement of its repeats."""
    from dataclasses import asdict

    from naopt.tables import load_table
    from naopt.tables.summary import summarise_table

    summary = summarise_table(load_table(file))
    if as_json:
        emit(asdict(summary))
    else:
        _print(summary)


def _print(summary: TableSummary) -> None:
    say(f"{summary.name}: {summary.rows} architectures of {summary.space}")
    size = f"{summary.size:,}" if summary.size < _LARGE else f"about 10^{math.log10(summary.size):.1f}"
    say(f"{summary.positions} positions; the rows are {summary.coverage:.2%} of the space's {size} token sequences")
    if summary.source:
        say(f"source: {summary.source}")
    say()
    print_table(
        ("metric", "goal", "unit", "measured", "min", "median", "max", "repeats"),
        [
            (
                name,
                m.goal,
                m.unit,
                m.measured,
                *("-" if v is None else v for v in (m.minimum, m.median, m.maximum)),
                m.repeats,
            )
            for name, m in summary.metrics.items()
        ],
    )
    for name, metric in summary.metrics.items():
        if metric.agreement is not None:
            say(
                f"{name}: two repeats agree with Kendall tau {metric.agreement.kendall_tau:.3f} "
                f"(pairwise {metric.agreement.pairwise_accuracy:.1%}); a perfect predictor of the mean would reach "
                f"{metric.agreement.perfect_against_mean:.1%}"
            )
