"""What ``search``, ``resume`` and ``show`` say about a run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from naopt.run import RunRecord, Trial


def status(record: RunRecord) -> str:
    """``finished``, or ``unfinished`` if the run can be resumed."""
    return "finished" if record.finished else "unfinished"


def run_document(record: RunRecord, report: Path | None) -> dict[str, Any]:
    """The run as a JSON document."""
    best = record.best()
    config = record.config
    return {
        "run": str(record.directory),
        "status": status(record),
        "stopped": record.stopped,
        "space": record.meta["space"],
        "searcher": config.searcher,
        "seed": config.seed,
        "budget": config.budget,
        "evaluated": len(record.evaluated),
        "failed": len(record.failed),
        "seconds": record.seconds,
        "metric": record.objective.metric,
        "goal": record.objective.goal,
        "surrogate": record.surrogate,
        "best": None if best is None else trial_document(best),
        "trajectory": record.trajectory(),
        "report": None if report is None else str(report),
    }


def trial_document(trial: Trial) -> dict[str, Any]:
    """A measured trial as a JSON document."""
    metrics = {} if trial.measurement is None else dict(trial.measurement.metrics)
    return {"index": trial.index, "architecture": trial.text, "metrics": metrics, "origin": trial.origin}


def run_lines(record: RunRecord, report: Path | None) -> Iterator[str]:
    """The run in a few readable lines."""
    from naopt.run.finalists import standalone_objective

    objective, config, best = record.objective, record.config, record.best()
    found = ", ".join(f"{sum(t.origin == o for t in record.evaluated)} {o}" for o in origins(record))
    yield f"run:        {record.directory} ({status(record)})"
    if record.stopped is not None:
        yield f"stopped:    {record.stopped}"
    yield f"space:      {record.meta['space']}"
    yield f"searcher:   {config.searcher}, seed {config.seed}"
    yield f"evaluated:  {len(record.evaluated)} of {config.budget}" + (f" ({found})" if found else "")
    yield f"failed:     {len(record.failed)}"
    yield f"seconds:    {record.seconds:.1f}"
    if best is None or best.measurement is None:
        yield "best:       none; no evaluation has succeeded"
    else:
        value = f"{best.measurement.metrics[objective.metric]:.6g}"
        metric = f"{objective.metric} (surrogate)" if record.surrogate else objective.metric
        yield f"best:       {metric} {value}, evaluation {best.index} of round {best.round}, {best.origin}"
        yield f"            {best.text}"
        if trained := record.finalists:
            chosen = standalone_objective(record.meta).metric
            well = best.index in trained and trained[best.index].ok
            found = f"; {chosen} {best.measurement.metrics[chosen]:.6g}" if well else ""
            yield f"finalists:  {len(trained)} trained stand-alone, the best of them is best{found}"
    for (kind, reason), count in list(record.failures().items())[:5]:
        yield f"{kind + ':':<11} {count} x {reason}"
    if report is not None:
        yield f"report:     {report}"


def origins(record: RunRecord) -> list[str]:
    """Where the architectures came from, in order of first appearance."""
    return list(dict.fromkeys(trial.origin for trial in record.evaluated))
