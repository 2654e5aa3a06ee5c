"""``naopt resume``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from naopt.cli.common import JsonOption


def resume(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="The run's directory.")],
    workers: Annotated[int | None, typer.Option(help="Processes that evaluate, instead of the run's own.")] = None,
    time: Annotated[
        str | None, typer.Option("--time", metavar="2h", help="Limit of the whole search, instead of the run's own.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Go on with a search or a training that was stopped or killed."""
    from naopt.cli.runs import execute
    from naopt.durations import parse_duration
    from naopt.errors import InputError
    from naopt.run import open_run

    if workers is not None and workers < 1:
        raise InputError("option workers", workers, "must be at least 1")
    execute(open_run(directory, workers=workers, time=None if time is None else parse_duration(time)), as_json=as_json)
