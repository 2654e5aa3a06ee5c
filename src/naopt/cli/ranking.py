"""``naopt ranking``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from naopt.cli.common import JsonOption, emit, print_table, say


def ranking(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="A finished weight-sharing run.")],
    children: Annotated[int, typer.Option("--children", metavar="K", help="How many random children.")] = 50,
    top: Annotated[int, typer.Option("--top", metavar="N", help="How many of the run's best, the pick first.")] = 5,
    repeats: Annotated[
        int | None,
        typer.Option("--repeats", metavar="R", help="Trainings of each child; their mean counts.", show_default="1"),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", metavar="S", help="Of the random children and all trainings.")] = 0,
    workers: Annotated[
        int, typer.Option("--workers", metavar="W", help="Processes that train; results do not depend on it.")
    ] = 1,
    table: Annotated[
        str | None, typer.Option("--table", metavar="FILE", help="Look children up there instead of training them.")
    ] = None,
    metric: Annotated[
        str | None, typer.Option("--metric", metavar="M", help="Of the table; by default its first.")
    ] = None,
    cache: Annotated[
        Path | None,
        typer.Option("--cache", metavar="DIR2", help="Folder for trainings, which runs may share; by default the run."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Compare shared weights with training, on random and on the best children of a weight-sharing run."""
    from naopt.cli.study import progress
    from naopt.cli.summary import publish
    from naopt.ranking import rank
    from naopt.report.ranking_section import ranking_rows, ranking_sentence
    from naopt.run import open_run

    found = rank(
        directory,
        children=children,
        top=top,
        repeats=repeats,
        seed=seed,
        workers=workers,
        table=table,
        metric=metric,
        cache=cache,
        progress=progress,
    )
    publish(open_run(directory))
    if as_json:
        emit(found.document())
        return
    say(f"{found.run}: {found.searcher} on {found.space}, {found.shared_metric} against {found.metric}")
    print_table(("what", "value", "95 % interval"), ranking_rows(found))
    for child in dict.fromkeys((*found.random, *found.top)):
        if child.reason:
            say(f"{child.architecture}: {child.reason}")
    say(ranking_sentence(found))
