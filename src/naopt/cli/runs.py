"""Executing a run from the command line: what ``search`` and ``resume`` share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from naopt.cli.common import emit, say
from naopt.cli.summary import run_document, run_lines
from naopt.errors import RunStoppedError
from naopt.report import write_report
from naopt.run import RunRecord, load_run
from naopt.run.record import REPORT


def execute(carry_out: Callable[[], RunRecord], directory: Path, *, as_json: bool = False) -> None:
    """Carries a search out, writes the report, and says what was found.

    Raises:
        RunStoppedError: the search was stopped; with ``--json`` what was found so far is said before.
    """
    try:
        record = carry_out()
    except RunStoppedError:
        if as_json:
            emit(run_document(load_run(directory), None))
        raise
    report = record.directory / REPORT if record.evaluated else None
    if report is not None:
        write_report(record, report, None)
    if as_json:
        emit(run_document(record, report))
        return
    for line in run_lines(record, report):
        say(line)
