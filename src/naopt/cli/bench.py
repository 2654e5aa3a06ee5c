"""``naopt bench``: searchers against each other on a table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from naopt.cli.common import JsonOption, emit, print_table, say, stderr_console

if TYPE_CHECKING:
    from naopt.bench import Comparison, Journal, SearchTrial


def bench(
    table: Annotated[str, typer.Option("--table", metavar="FILE", help="A naopt-table, or a built-in one's name.")],
    metric: Annotated[str, typer.Option("--metric", metavar="M", help="What is searched by.")],
    searchers: Annotated[str, typer.Option("--searchers", metavar="A,B,...", help="Names, separated by commas.")],
    budget: Annotated[int, typer.Option("--budget", metavar="N", help="Queries of one trial.")],
    trials: Annotated[int, typer.Option("--trials", metavar="K", help="Trials of each searcher.")],
    report_metric: Annotated[
        str | None,
        typer.Option("--report-metric", metavar="M2", help="Reported of what M selects; M itself if left out."),
    ] = None,
    noise: Annotated[
        str, typer.Option("--noise", metavar="mean|repeat", help="Of M's repeats: their mean, or one drawn a query.")
    ] = "mean",
    seed: Annotated[int, typer.Option("--seed", metavar="S", help="Of all trials together.")] = 0,
    workers: Annotated[int, typer.Option("--workers", metavar="W", help="Processes; results do not depend on it.")] = 1,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="[NAME.]KEY=VALUE", help="A setting of one searcher, or of all that have it."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Keep finished trials there, and go on from them.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Compare searchers on a table: same budget, same seeds."""
    from naopt.bench import Comparison, Journal, searcher_settings, summarise_trials
    from naopt.evaluators.table import parse_noise
    from naopt.tables import load_table

    comparison = Comparison(
        table=load_table(table),
        metric=metric,
        report_metric=report_metric or metric,
        settings=searcher_settings([name.strip() for name in searchers.split(",")], settings or []),
        budget=budget,
        trials=trials,
        seed=seed,
        noise=parse_noise(noise),
    )
    journal = Journal(out, comparison) if out else None
    document = summarise_trials(comparison, _run(comparison, workers, journal))
    if as_json:
        emit(document)
    else:
        _print(document)


def _run(comparison: Comparison, workers: int, journal: Journal | None) -> list[SearchTrial]:
    from rich.progress import Progress

    from naopt.bench import compare
    from naopt.errors import NaoptError, RunStoppedError

    done = list(journal.trials) if journal else []
    console = stderr_console()
    with Progress(console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task("trials", total=comparison.trials * len(comparison.settings), completed=len(done))

        def on_trial(trial: SearchTrial) -> None:
            if journal:
                journal.append(trial)
            progress.advance(bar)

        try:
            return compare(comparison, workers, done, on_trial)
        except KeyboardInterrupt:
            if journal:
                raise RunStoppedError("stopped; the same command goes on with the trials that are missing") from None
            raise NaoptError("stopped; with --out DIR the trials that ended would have been kept") from None


def _print(document: dict[str, Any]) -> None:
    from naopt.bench import checkpoint_columns

    points = checkpoint_columns(document["checkpoints"])
    unit = f" ({document['unit']})" if document["unit"] else ""
    say(
        f"{document['table']}: {document['report_metric']}{unit} of the architecture selected by {document['metric']}, "
        f"mean [95 % interval] over {document['trials']} trials"
        + (", one repeat seen a query" if document["noise"] == "repeat" else "")
    )
    print_table(
        ("searcher", *(f"{document['checkpoints'][i]} queries" for i in points), "optimum found", "s/trial"),
        [
            (
                name,
                *(_cell(found["mean_report_metric"][i], found["ci95"][i]) for i in points),
                f"{sum(q is not None for q in found['queries_to_optimum'])}/{document['trials']}",
                sum(found["seconds_per_trial"]) / document["trials"],
            )
            for name, found in document["searchers"].items()
        ],
    )
    for name, pair in document.get("paired", {}).items():
        difference, interval = pair["mean_difference"][-1], pair["ci95"][-1]
        say(
            f"{name} against {pair['against']} after {document['budget']} queries: {_cell(difference, interval)}, "
            f"better {pair['better'][-1]}, equal {pair['equal'][-1]}, worse {pair['worse'][-1]}"
        )


def _cell(mean: float | None, interval: list[float] | None) -> str:
    if mean is None or interval is None:
        return "-"
    return f"{mean:.4g} [{interval[0]:.4g}, {interval[1]:.4g}]"
