"""The table of all architectures in the report of a run."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from naopt.report.elements import number, section
from naopt.report.summary import finite, metric_names, parent_index

if TYPE_CHECKING:
    from naopt.execution.trial import Trial
    from naopt.measurement import Measurement
    from naopt.run.record import RunRecord


def trials_table(record: RunRecord) -> str:
    """A row for every architecture that was measured, to be sorted; nothing if none was."""
    if not record.evaluated:
        return ""
    metrics, parents, best = metric_names(record), parent_index(record.trials), record.best()
    marked = {trial.index for trial in record.front()} if len(record.problem.objectives) > 1 else set()
    marked |= set() if marked or best is None else {best.index}
    goals = {objective.metric: objective.goal for objective in record.problem.objectives}
    first = "descending" if record.objective.goal == "max" else "ascending"
    heads = [
        ("picture", "", ""),
        ("query", "ascending", "n"),
        ("round", "ascending", "n"),
        ("origin", "ascending", ""),
        ("from", "ascending", "n"),
        *((name, "ascending" if goals.get(name) == "min" else "descending", "n") for name in metrics),
        ("predicted", first, "n"),
        ("seconds", "descending", "n"),
        ("status", "descending", ""),
        ("architecture", "", ""),
    ]
    head = "".join(
        f"<th{f' class={kind}' if kind else ''}{f' data-sort={sort}' if sort else ''}"
        f"{' data-metric' if name in metrics else ''}>{escape(name)}</th>"
        for name, sort, kind in heads
    )
    rows = "".join(
        _row(place, trial, trial.measurement, metrics, parents.get(trial.index), trial.index in marked)
        for place, trial in enumerate(record.evaluated)
        if trial.measurement is not None
    )
    return section(
        "All architectures",
        '<p class="note">Press a heading to sort, a picture to enlarge it.</p>'
        f'<div class="scroll"><table id="all"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>',
    )


def _row(
    place: int, trial: Trial, measured: Measurement, metrics: Sequence[str], parent: int | None, best: bool
) -> str:
    link = "" if parent is None else f'<a href="#a{parent}">{parent}</a>'
    status = "ok" if measured.ok else f'<span class="status" title="{escape(measured.reason)}">{measured.status}</span>'
    return (
        f'<tr id="a{trial.index}" data-picture="{place}"{" class=best" if best else ""}><td class="picture"></td>'
        + _cell(trial.index)
        + _cell(trial.round)
        + f'<td>{escape(trial.origin)}</td><td class="n" data-v="{"" if parent is None else parent}">{link}</td>'
        + "".join(_cell(measured.metrics.get(name)) for name in metrics)
        + _cell(finite(trial.predicted))
        + _cell(measured.seconds)
        + f'<td>{status}</td><td class="arch">{escape(trial.text)}</td></tr>'
    )


def _cell(value: float | None) -> str:
    return f'<td class="n" data-v="{"" if value is None else value}">{number(value)}</td>'
