"""What ``naopt show`` says about a run, whatever it is."""

from __future__ import annotations

from dataclasses import asdict
from functools import singledispatch
from typing import Any

from naopt.cli.common import emit, print_table, say
from naopt.cli.show_curve import curve_document, instances_of, print_curve
from naopt.cli.show_front import front_document, print_front
from naopt.cli.summary import run_document, run_lines, status, trial_document
from naopt.errors import InputError
from naopt.run import Run, RunRecord, Trial
from naopt.run.finalist_figures import finalist_figures
from naopt.run.names import REPORT
from naopt.run.run import SearchRun, TrainingRun


@singledispatch
def show_run(
    run: Run,
    *,
    as_json: bool,  # noqa: ARG001
    failures: bool,  # noqa: ARG001
    rounds: bool,  # noqa: ARG001
    front: bool,  # noqa: ARG001
    points: bool,  # noqa: ARG001
) -> None:
    """Shows a run on standard output; of a search its failures, rounds, front or operating points, if asked for."""
    raise TypeError(type(run))


@show_run.register
def _(run: SearchRun, *, as_json: bool, failures: bool, rounds: bool, front: bool, points: bool) -> None:
    record = run.record
    instances = instances_of(record) if points else None
    report = record.directory / REPORT
    written = report if report.is_file() else None
    top = record.ranked()[:10]
    if as_json:
        counts = [{"status": s, "reason": r, "count": n} for (s, r), n in record.failures().items()]
        more: dict[str, Any] = {"top": [trial_document(trial) for trial in top], "failures": counts}
        if failures:
            more["failed_trials"] = [_failure(trial) for trial in record.failed]
        if rounds:
            more["round_means"] = _round_means(record)
        if front:
            more["front"] = front_document(record)
        if instances is not None:
            more["curve"] = curve_document(record, instances)
        emit({**run_document(run, written), **more, "rounds": record.rounds})
        return
    for line in run_lines(run, written):
        say(line)
    if failures or rounds or front or points:
        if instances is not None:
            say()
            print_curve(record, instances)
        if front:
            say()
            print_front(record)
        if failures:
            _say_failures(record)
        if rounds:
            _say_rounds(record)
        return
    if len(record.problem.objectives) > 1 and top:
        say()
        print_front(record)
    elif top:
        say()
        metric = record.objective.metric
        rows = [[t.index, t.measurement.metrics[metric], t.origin, t.text] for t in top if t.measurement is not None]
        print_table(["trial", metric, "origin", "architecture"], rows, "best:")
        _say_finalists(record)
    if record.rounds:
        say()
        say("rounds:")
    members: dict[int, int] = {}
    for trial in record.trials:
        members[trial.round] = members.get(trial.round, 0) + 1
    for index, log in enumerate(record.rounds):
        facts = ", ".join(
            f"{key} {_short(value)}" for key, value in log.items() if isinstance(value, int | float | str)
        )
        say(f"  {index}: {members.get(index, 0)} proposed" + (f"; {facts}" if facts else ""))


def _say_finalists(record: RunRecord) -> None:
    found = finalist_figures(record)
    if found is None:
        return
    say()
    rows = [
        [row.index, row.search, row.reason if row.trained is None else row.trained, row.seconds, row.architecture]
        for row in found.rows
    ]
    columns = ["trial", f"{found.search_metric} in the search", f"{found.metric} longer", "seconds", "architecture"]
    print_table(columns, rows, "finalists:")


def _failure(trial: Trial) -> dict[str, Any]:
    found = trial.measurement
    assert found is not None
    facts = {"status": found.status, "reason": found.reason, "seconds": found.seconds, "details": found.details}
    return {"index": trial.index, "architecture": trial.text, **facts}


def _say_failures(record: RunRecord) -> None:
    for failure in map(_failure, record.failed):
        say()
        say(f"evaluation {failure['index']}: {failure['architecture']}")
        say(f"  {failure['status']} after {failure['seconds']:.1f} s: {failure['reason']}")
        for line in failure["details"].splitlines():
            say(f"  | {line}")


def _round_means(record: RunRecord) -> list[dict[str, Any]]:
    """Fig. 2b of the NAO paper in numbers: what was measured in each round, and what its searcher had predicted."""
    from naopt.report.summary import round_summaries

    return [
        {
            "round": summary.round,
            "architectures": summary.architectures,
            "origins": list(summary.origins),
            "measured_mean": summary.measured_mean,
            "measured_std": summary.measured_std,
            "predicted_mean": summary.predicted_mean,
        }
        for summary in round_summaries(record)
    ]


def _say_rounds(record: RunRecord) -> None:
    say()
    rows = [
        [", ".join(value) if isinstance(value, list) else "-" if value is None else value for value in line.values()]
        for line in _round_means(record)
    ]
    columns = ["round", "measured by then", "origins", "measured mean", "deviation", "predicted mean"]
    print_table(columns, rows, f"{record.objective.metric} of each round:")


@show_run.register
def _(run: TrainingRun, *, as_json: bool, points: bool, **_: bool) -> None:
    if points:
        raise InputError("run", str(run.directory), "holds a training: there is no curve of operating points")
    training, request = run.training, run.training.request
    found, curve = training.document, training.curve
    finished, whole = run.finished, request.settings["epochs"]
    if as_json:
        numbered = [{"epoch": epoch, **figures} for epoch, figures in enumerate(curve, start=1)]
        emit({**asdict(request), **found, "finished": finished, "epochs_done": len(curve), "curve": numbered})
        return
    more = "" if finished else f"; go on with: naopt resume {run.directory}"
    say(f"training:    {run.directory} ({status(run)}{more if finished or training.resumable else ''})")
    say(f"space:       {request.space}")
    say(f"text:        {request.architecture}")
    say(f"task:        {request.task}")
    say(f"preset:      {request.preset or 'by task'}, seed {request.seed}")
    say(f"epochs:      {len(curve)} of {whole}")
    for remark in found.get("remarks", ()):
        say(f"data:        {remark}")
    for name, value in found.items():
        if name.startswith(("test_", "valid_")) or name in ("parameters", "seconds"):
            say(f"{name.replace('_', ' ') + ':':<12} {_short(value) if isinstance(value, float) else value}")
    if curve:
        say()
        names = list(dict.fromkeys(name for figures in curve for name in figures))
        first = max(len(curve) - 10, 0)
        rows = [
            [epoch, *(figures.get(name, "") for name in names)]
            for epoch, figures in enumerate(curve[first:], start=first + 1)
        ]
        print_table(["epoch", *names], rows, "last epochs:")


def _short(value: float | str) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
