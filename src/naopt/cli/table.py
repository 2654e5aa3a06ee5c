"""``naopt table``: import, complete and describe tables."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from naopt.cli.common import JsonOption, emit, note, print_table, say
from naopt.cli.outputs import ForceOption, check_output

if TYPE_CHECKING:
    from naopt.tables import Surrogate
    from naopt.tables.summary import TableSummary

_LARGE = 10**7

table_app = typer.Typer(help="Import, complete and describe tables of measured architectures.", no_args_is_help=True)


@table_app.command("import")
def import_table(
    kind: Annotated[
        str, typer.Argument(metavar="KIND", help="What SOURCE is: csv, hw-nas-bench, nasbench101, nasbench201.")
    ],
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
    skip: Annotated[
        list[str] | None, typer.Option("--skip", metavar="NAME", help="Of a csv file: a column to leave out; repeat.")
    ] = None,
    position: Annotated[
        list[str] | None,
        typer.Option(
            "--position", metavar="NAME", help="Of a csv file: a column of choices, whatever it looks like; repeat."
        ),
    ] = None,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Make a naopt-table of another file."""
    from naopt.errors import InputError
    from naopt.spaces import create_space
    from naopt.tables import explain_goals, parse_metric, run_importer, save_table

    check_output("OUT", out, [source], force=force)
    metrics = {}
    for text in metric or []:
        name, info = parse_metric(text)
        if name in metrics:
            raise InputError("--metric", name, "is named twice")
        metrics[name] = info
    columns = {"skip": skip or [], "position": position or []}
    table = run_importer(kind, source, metrics, create_space(space) if space else None, say=note, **columns)
    for line in explain_goals(metric, table.infos) if metric else ():
        note(line)
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


@table_app.command("complete")
def complete(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A partly measured naopt-table.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The naopt-table (.npz) to write.")],
    metric: Annotated[list[str], typer.Option("--metric", metavar="M", help="What to predict; may be repeated.")],
    space_rows: Annotated[
        Path | None,
        typer.Option(
            "--space-rows", metavar="FILE", help="All architectures of the space: a table, or a list of cells."
        ),
    ] = None,
    model: Annotated[str, typer.Option(help="The surrogate: gbdt or forest.")] = "gbdt",
    folds: Annotated[int, typer.Option(help="Parts of the cross validation, and models that are averaged.")] = 5,
    repeats: Annotated[int, typer.Option(help="Drawn from the noise model for each predicted row.")] = 3,
    measured: Annotated[str, typer.Option(metavar="keep|predict", help="What becomes of measured rows.")] = "keep",
    seed: Annotated[int, typer.Option(help="Of folds, models and noise.")] = 0,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Fit a surrogate to a partly measured table, and span the whole space with it."""
    from naopt.bench.completion import CompletionSettings, complete_table, read_rows
    from naopt.tables import load_table, save_table

    options = {"model": model, "folds": folds, "repeats": repeats, "measured": measured, "seed": seed}
    check_output("OUT", out, [file, space_rows], force=force)
    settings = CompletionSettings.parse(options, "option")
    table = load_table(file)
    rows = read_rows(space_rows, table) if space_rows else None
    completed = complete_table(table, metric, settings, rows, note)
    save_table(completed, out)
    if as_json:
        surrogates = {name: surrogate.model_dump() for name, surrogate in completed.surrogates.items()}
        emit({"table": str(out), "rows": len(completed), "surrogates": surrogates})
    else:
        say(f"{out}: {len(completed)} architectures, {len(table)} of them from {table.name}")
        for name in metric:
            _print_surrogate(name, completed.surrogates[name])


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
        surrogates = {name: surrogate.model_dump() for name, surrogate in summary.surrogates.items()}
        emit({**asdict(summary), "surrogates": surrogates})
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
    for name, surrogate in summary.surrogates.items():
        _print_surrogate(name, surrogate)
    for name, metric in summary.metrics.items():
        if metric.agreement is not None and name not in summary.surrogates:
            say(
                f"{name}: two repeats agree with Kendall tau {metric.agreement.kendall_tau:.3f} "
                f"(pairwise {metric.agreement.pairwise_accuracy:.1%}); a perfect predictor of the mean would reach "
                f"{metric.agreement.perfect_against_mean:.1%}"
            )


def _print_surrogate(name: str, surrogate: Surrogate) -> None:
    rest = "measured rows keep their values" if surrogate.kept else "measured rows are predicted too"
    say(
        f"{name} is a surrogate: {surrogate.model}, fitted to {surrogate.measured:,} measured rows, "
        f"predicts {surrogate.predicted:,}; {rest}"
    )
    cv, noise = surrogate.cv, surrogate.noise
    say(
        f"  {cv.folds}-fold cross validation: Kendall tau {cv.kendall_tau:.3f}, Spearman {cv.spearman:.3f}, "
        f"R2 {cv.r2:.3f}, mean absolute error {cv.mae:.4g}"
    )
    low, high = min(noise.deviations), max(noise.deviations)
    say(f"  noise of a repeat by {noise.origin}: standard deviation {low:.4g} to {high:.4g}, by predicted value")
