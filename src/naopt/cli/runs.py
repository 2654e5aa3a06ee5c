"""Executing a run from the command line: what ``search`` and ``resume`` share."""

from __future__ import annotations

from pathlib import Path

from naopt.cli.common import emit, say
from naopt.cli.summary import run_document, run_lines
from naopt.errors import RunStoppedError
from naopt.run import RunRecord, execute_run, load_run
from naopt.run.record import REPORT


def execute(directory: Path, *, workers: int | None = None, as_json: bool = False) -> None:
    """Searches until the budget is spent, writes the report, and says what was found.

    Raises:
        RunStoppedError: the search was stopped; what was found so far is said before.
    """
    try:
        record = execute_run(directory, workers=workers)
    except RunStoppedError:
        if as_json:
            emit(run_document(load_run(directory), None))
        raise
    report = _report(record)
    if as_json:
        emit(run_document(record, report))
        return
    for line in run_lines(record, report):
        say(line)


def _report(record: RunRecord) -> Path:
    from naopt.report import write_report

    path = record.directory / REPORT
    write_report(record, path, None)
    return path
