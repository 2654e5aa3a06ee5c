"""``naopt report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from naopt.cli.common import JsonOption, emit, say
from naopt.cli.outputs import ForceOption, check_output


def report(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="The run.")],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="The page to write.", show_default="DIR/report.html")
    ] = None,
    against: Annotated[
        Path | None, typer.Option("--against", metavar="DIR", help="A run to compare with, such as a random search.")
    ] = None,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write what a run found as one HTML page."""
    from naopt.errors import InputError
    from naopt.report import write_report
    from naopt.run import open_run
    from naopt.run.names import REPORT

    path = directory / REPORT if out is None else out
    if path.resolve() != (directory / REPORT).resolve():  # its own page is made anew
        check_output("--out", path, [directory, against], force=force)
    record = open_run(directory).record
    other = None if against is None else open_run(against).record
    for run in (record, *([] if other is None else [other])):
        if not run.evaluated:
            raise InputError("run", str(run.directory), "has no measured architecture yet")
    try:
        write_report(record, path, other)
    except OSError as error:
        raise InputError("--out", str(path), error.strerror or "cannot be written") from error
    if as_json:
        best = record.best()
        emit(
            {
                "run": str(directory),
                "report": str(path),
                "evaluated": len(record.evaluated),
                "failed": len(record.failed),
                "best": None if best is None else best.index,
            }
        )
    else:
        say(str(path))
