"""``naopt show DIR --front``."""

from __future__ import annotations

from typing import Any

from naopt.cli.common import print_table, say
from naopt.cli.summary import trial_document
from naopt.run import RunRecord


def front_document(record: RunRecord) -> list[dict[str, Any]]:
    """The members of the front, the best by the first objective first; one of them is the ``knee``."""
    knee = record.knee()
    return [{**trial_document(trial), "knee": trial is knee} for trial in record.front()]


def print_front(record: RunRecord) -> None:
    """The front in a table, on standard output."""
    front, knee = record.front(), record.knee()
    names = [objective.metric for objective in record.problem.objectives]
    if not front:
        say(f"front:      empty; {record.why_none() if record.beyond else 'no evaluation has succeeded'}")
        return
    rows = [
        [t.index, *(t.measurement.metrics[name] for name in names), "knee" if t is knee else "", t.origin, t.text]
        for t in front
        if t.measurement is not None
    ]
    print_table(["trial", *names, "", "origin", "architecture"], rows, f"front of {record.problem}:")
    if record.latencies:
        say(record.latencies)
