"""Carrying a run out from the command line: what ``search``, ``train`` and ``resume`` share."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from naopt.cli.common import emit, note, say
from naopt.cli.summary import publish, run_document, run_lines, why_none
from naopt.errors import NaoptError, RunStoppedError
from naopt.run import Run
from naopt.run.run import SearchRun

if TYPE_CHECKING:
    from naopt.run.setup import Setup


def execute(run: Run, *, as_json: bool = False) -> None:
    """Carries a run out, writes its report, and says what was found.

    Raises:
        RunStoppedError: the run was stopped; with ``--json`` what was found so far is said before.
        NaoptError: it is a search in which no evaluation has succeeded; that is said before, too.
    """
    try:
        if not run.carry_out():
            note(f"{run.noun} '{run.directory}' is finished; nothing to do")
    except RunStoppedError:
        if as_json:
            emit(run_document(run, None))
        raise
    tell(run, as_json=as_json)
    if isinstance(run, SearchRun) and run.record.best() is None:
        record = run.record
        why = record.why_none() if record.beyond else f"no evaluation has succeeded; {why_none(record)}"
        raise NaoptError(f"run '{run.directory}': {why}")


def tell(run: Run, *, as_json: bool) -> None:
    """Writes a run's report, and says what was found."""
    if not first_process():
        return
    report = publish(run)
    if as_json:
        emit(run_document(run, report))
        return
    for line in run_lines(run, report):
        say(line)


def first_process() -> bool:
    """Whether this process speaks for those that ``torchrun`` started."""
    return os.environ.get("RANK", "0") == "0"


def hint_at_costs(setup: Setup) -> None:
    """Says which columns of a table, of those that are wanted, ``--known`` would make free."""
    from naopt.evaluators.table import TableEvaluator
    from naopt.evaluators.table_costs import NOTHING, hidden_costs

    problem, known = setup.problem, setup.config.known
    if problem.ordinary or not isinstance(setup.evaluator, TableEvaluator) or known == (NOTHING,):
        return
    free = [] if problem.costs is None else list(problem.costs.metrics)
    if found := hidden_costs(setup.evaluator.table, problem.metrics, free):
        every, all_free = f"every row has {' and '.join(found)}", ",".join([*free, *found])
        note(f"{every}: if that needs no training, --known {all_free} makes it free")
