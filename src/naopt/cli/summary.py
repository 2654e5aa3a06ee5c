"""What ``search``, ``train``, ``resume`` and ``show`` say about a run, whatever it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from functools import singledispatch
from pathlib import Path
from typing import Any

from naopt.cli.common import note
from naopt.cli.show_curve import instance_document, instance_lines
from naopt.measurement import error_name, written
from naopt.report import write_report
from naopt.run import Run, RunRecord, Trial
from naopt.run.fidelities import done_of, levels_of
from naopt.run.finalist_figures import finalist_figures
from naopt.run.names import REPORT
from naopt.run.priors import prior_weights
from naopt.run.run import SearchRun, TrainingRun
from naopt.run.workloads import network_sizes
from naopt.store.meta import problem_document


@singledispatch
def publish(run: Run) -> Path | None:  # noqa: ARG001
    """Writes the run's report, if it has something to report on and its directory takes one; gives its path."""
    return None


@publish.register
def _(run: SearchRun) -> Path | None:
    record = run.record
    if not record.evaluated:
        return None
    path = record.directory / REPORT
    try:
        write_report(record, path, None)
    except OSError as error:  # what was found is stored, and is said without it
        note(f"no report: {path}: {error.strerror or 'cannot be written'}")
        return None
    return path


@singledispatch
def run_document(run: Run, report: Path | None) -> dict[str, Any]:  # noqa: ARG001
    """The run as a JSON document."""
    raise TypeError(type(run))


@singledispatch
def run_lines(run: Run, report: Path | None) -> Iterator[str]:  # noqa: ARG001
    """The run in a few readable lines."""
    raise TypeError(type(run))


@run_document.register
def _(run: TrainingRun, report: Path | None) -> dict[str, Any]:  # noqa: ARG001
    training = run.training
    if training.document:
        return training.document
    return {"run": str(run.directory), "status": status(run), "epochs_done": len(training.curve)}


@run_lines.register
def _(run: TrainingRun, report: Path | None) -> Iterator[str]:  # noqa: ARG001
    yield from training_lines(run.training.document)


def training_lines(document: Mapping[str, Any]) -> Iterator[str]:
    """What a final training found."""
    words = {"test_accuracy": "test accuracy: {:.1f} %"}
    words |= {f"{part}_perplexity": f"{part} perplexity: {{:.2f}}" for part in ("valid", "test")}
    yield from (f"data:          {remark}" for remark in document.get("remarks", ()))
    for name, text in words.items():
        if name in document:
            error = document.get(error_name(name))
            yield text.format(document[name]) + ("" if error is None else f" (standard error {error:.2g})")
    yield f"parameters:    {document['parameters']:,}"
    yield f"seconds:       {document['seconds']:.1f}"
    yield f"weights:       {document['weights']}"


def status(run: Run) -> str:
    """``finished``, or ``unfinished`` if the run can be resumed."""
    return "finished" if run.finished else "unfinished"


@run_document.register
def _(run: SearchRun, report: Path | None) -> dict[str, Any]:
    record = run.record
    best, finalists, sizes = record.best(), finalist_figures(record), network_sizes(record)
    config = record.config
    return {
        "run": str(record.directory),
        "status": status(run),
        "stopped": record.stopped,
        "space": record.meta["space"],
        "searcher": config.searcher,
        "seed": config.seed,
        "budget": config.budget,
        "evaluated": len(record.evaluated),
        **fidelity_document(record),
        "failed": len(record.failed),
        "seconds": record.seconds,
        "metric": record.objective.metric,
        "goal": record.objective.goal,
        "surrogate": record.surrogate,
        **wanted_document(record),
        **({"prior_weights": weights} if (weights := prior_weights(record.rounds)) else {}),
        **instance_document(record),
        "best": None if best is None else trial_document(best),
        **({} if finalists is None else {"finalists": finalists.document()}),
        **({} if sizes is None else {"network": asdict(sizes)}),
        **({"as_good": record.leaders.level} if record.leaders.expected else {}),
        "trajectory": record.trajectory(),
        "remarks": list(record.remarks),
        "report": None if report is None else str(report),
        **({"training": run.training.document} if run.training else {}),
    }


def wanted_document(record: RunRecord) -> dict[str, Any]:
    """Objectives, limits, and the indices of the front and its knee; nothing for one objective without limits."""
    if record.problem.ordinary:
        return {}
    knee = record.knee()
    return {
        **problem_document(record.problem),
        "front_trials": [trial.index for trial in record.front()],
        "knee": None if knee is None else knee.index,
    }


def fidelity_document(record: RunRecord) -> dict[str, Any]:
    """Levels, and what was spent in full evaluations; nothing without fidelities."""
    fidelity = record.problem.fidelity
    if fidelity is None:
        return {}
    return {"spent": record.spent, "fidelities": dict(zip(fidelity.metrics, fidelity.costs, strict=True))}


def trial_document(trial: Trial) -> dict[str, Any]:
    """A measured trial as a JSON document."""
    metrics = {} if trial.measurement is None else dict(trial.measurement.metrics)
    return {"index": trial.index, "architecture": trial.text, "metrics": metrics, "origin": trial.origin}


@run_lines.register
def _(run: SearchRun, report: Path | None) -> Iterator[str]:
    record = run.record
    objective, config, best = record.objective, record.config, record.best()
    found = ", ".join(f"{sum(t.origin == o for t in record.evaluated)} {o}" for o in origins(record))
    yield f"run:        {record.directory} ({status(run)})"
    if record.stopped is not None:
        yield f"stopped:    {record.stopped}"
    if record.time_is_up:
        yield f"time:       its limit of {record.meta['time_is_up']:g} s is reached"
    elif record.meta.get("measuring_ended"):
        yield f"time:       no more was measured, to train the finalists within {record.meta['measuring_ended']:g} s"
    yield f"space:      {record.meta['space']}"
    yield from (f"data:       {remark}" for remark in record.remarks)
    yield f"searcher:   {config.searcher}, seed {config.seed}"
    evaluated = f"{len(record.evaluated)} of {config.budget}" + (f" ({found})" if found else "")
    if levels := levels_of(record):
        evaluated = f"{done_of(record)} ({', '.join(f'{count} {name}' for name, count in levels.items())})"
    if not record.problem.ordinary:
        yield f"wanted:     {record.problem}"
    yield f"evaluated:  {evaluated}" + ("; there is nothing new to be found" if record.exhausted else "")
    if config.elsewhere and (pending := len(record.trials) - len(record.evaluated)):
        yield f"pending:    {pending}, which naopt ask {record.directory} --pending lists"
    yield f"failed:     {len(record.failed)}"
    if weights := prior_weights(record.rounds):
        shown = ", ".join(f"{name} {weight:.0%}" for name, weight in weights.items())
        yield f"priors:     {shown} of the kernels' weight in the latest fit"
    if record.problem.limits:
        over = record.passed_over
        broken = len(record.beyond)
        yield f"limits:     broken by {broken} that were measured; passed over {over:,} times without measuring"
    yield f"seconds:    {record.seconds:.1f}"
    if best is None or best.measurement is None:
        yield f"best:       none; {record.why_none() if record.beyond else 'no evaluation has succeeded'}"
    else:
        value = written(best.measurement.metrics, objective.metric)
        metric = f"{objective.metric} (surrogate)" if record.surrogate else objective.metric
        yield f"best:       {metric} {value}, evaluation {best.index} of round {best.round}, {best.origin}"
        yield f"            {best.text}"
        if level := 0 if record.finalists else record.leaders.level:
            others = "another one" if level == 1 else f"{level} others"
            advice = "; with finalists it would be known better" if _may_have_finalists(record) else ""
            yield f"            by these measurements {others} may be as good{advice}"
        if (sizes := network_sizes(record)) is not None:
            yield f"network:    {sizes}"
        if (knee := record.knee()) is not None and len(record.problem.objectives) > 1:
            yield f"front:      {len(record.front())} architectures; their knee, which train takes, is {knee.index}"
        if (finalists := finalist_figures(record)) is not None:
            first = finalists.rows[0]
            found = "" if first.trained is None else f"; {finalists.metric} {first.trained:.6g}"
            found += "" if first.error is None else f" ± {first.error:.2g}"
            how = "stand-alone" if finalists.metric != objective.metric else "longer"
            done, wanted = len(finalists.rows), finalists.wanted
            part = f"{done}" if done >= wanted else f"{done} of {wanted}"
            yield f"finalists:  {part} trained {how}, the best of them is best{found}"
            yield f"            {finalists.sentence}"
    yield from instance_lines(record)
    for (kind, reason), count in list(record.failures().items())[:5]:
        yield f"{kind + ':':<11} {count} x {reason}"
    if report is not None:
        yield f"report:     {report}"
    if run.training is not None and run.training.document:
        yield from training_lines(run.training.document)


def _may_have_finalists(record: RunRecord) -> bool:
    config = record.config
    return len(record.problem.objectives) == 1 and not (config.table or config.function or config.elsewhere)


def why_none(record: RunRecord) -> str:
    """Why no evaluation has succeeded: the commonest reason."""
    found = record.failures()
    if not found:
        return "none ended before the time limit" if record.time_is_up else "there is nothing to evaluate"
    (kind, reason), count = next(iter(found.items()))
    return f"{count} of {len(record.failed)} failed alike: {kind}: {reason}"


def origins(record: RunRecord) -> list[str]:
    """Where the architectures came from, in order of first appearance."""
    return list(dict.fromkeys(trial.origin for trial in record.evaluated))
