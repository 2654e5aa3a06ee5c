"""Honest ranking: children of a weight-sharing run, measured with its shared weights and stand-alone.

Weight sharing stands and falls with the order that shared weights give to children, which is often hardly better than
chance (Yu et al. 2020, "Evaluating the search phase of neural architecture search"), and with what random children
would have given at the same cost (Li & Talwalkar 2019). Both are measured here, beside the search that they judge.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from naopt._version import __version__
from naopt.errors import InputError
from naopt.evaluators.base import Evaluator
from naopt.execution.counted import Progress, quiet, to_be_continued
from naopt.execution.interrupt import stop_on_signal
from naopt.measurement import Measurement
from naopt.metrics import Estimate
from naopt.metrics.scale import mean
from naopt.one_shot.kinds import shares_weights
from naopt.ranking.result import RankedChild, Ranking, RankingFigures, TopOverlap, ranking_figures
from naopt.ranking.standalone import CPU_SECONDS, LookedUp, Standalone, Trained
from naopt.run.record import RunRecord, load_run
from naopt.run.supernet import shared_evaluator
from naopt.searchers.base import sample_new
from naopt.spaces import Architecture

__all__ = ["Estimate", "RankedChild", "Ranking", "RankingFigures", "TopOverlap", "rank"]

CHILDREN, TOP = 50, 5
TRAININGS = "ranking"
"""Folder of a run's directory for the trainings of its children."""
_DRAWN = 2
"""Keeps the draw of random children apart from other randomness of the same seed."""


def rank(
    directory: str | Path,
    *,
    children: int = CHILDREN,
    top: int = TOP,
    repeats: int | None = None,
    seed: int = 0,
    workers: int = 1,
    table: str | Path | None = None,
    metric: str | None = None,
    cache: str | Path | None = None,
    progress: Progress = quiet,
) -> Ranking:
    """Measures random children and the best of a weight-sharing run with its shared weights and stand-alone.

    Random children are distinct and uniform, and the same for all runs of one space and seed; more of them begin with
    fewer. Each child is trained with the run's own training settings, with a seed that is spawned from ``seed`` and the
    architecture's identity, so equal children of two runs are trained alike. What was trained is kept as it ends: the
    same call goes on where it was stopped or killed. The result is written to ``ranking.json`` in the directory.

    Args:
        directory: of a finished weight-sharing run.
        children: how many random ones; at least 2.
        top: how many of the run's best by shared weights, the pick first; at least 1.
        repeats: trainings of each child, with different seeds; by default 1.
        seed: of the random children and of all trainings.
        workers: processes that train; change nothing but the time.
        table: look the stand-alone metric up there, instead of training.
        metric: of the table; by default its first.
        cache: folder for the trainings, which runs of the same task, space and training settings may share; by default
            the run's own.
        progress: is told how it goes.

    Raises:
        InputError: not a weight-sharing run, one that is not finished or has no pick; fewer children than asked for;
            an option that has no use; a table of another space; a cache of other trainings, or in use.
        RunStoppedError: a signal, an interrupted training or a full disk stopped it; the same call goes on.
    """
    for name, number, least in (("children", children, 2), ("top", top, 1), ("repeats", repeats, 1), ("seed", seed, 0)):
        if number is not None and number < least:
            raise InputError(name, number, f"must be at least {least}")
    record = _finished(Path(directory))
    objective = record.objective
    shared = shared_evaluator(record.directory, device=record.config.device)
    source: Standalone
    if table is None:
        if metric is not None:
            raise InputError("metric", metric, "has a use only with a table")
        source = Trained(record, seed, repeats or 1, workers, Path(cache or record.directory / TRAININGS))
    else:
        for name, given in (("repeats", repeats), ("cache", cache)):
            if given is not None:
                raise InputError(name, str(given), "has no use with a table, which needs no training")
        source = LookedUp(record, table, metric)
    drawn = sample_new(source.space, set(), children, np.random.default_rng([seed, _DRAWN]))
    if len(drawn) < children:
        raise InputError("children", children, f"space {record.space.name} has only {len(drawn)}")
    best = [trial.architecture for trial in record.ranked()[:top]]
    # Architectures are told apart by their tokens here: equal ones may differ in the order of their parameters, and so
    # in what a seed makes of them.
    every = {record.space.format(a): a for a in [*drawn, *best]}
    with to_be_continued(), stop_on_signal():
        started = time.perf_counter()
        shared_found = _measure_shared(shared, every, progress)
        shared_seconds = time.perf_counter() - started
        found = source.measure(every, progress)

    def ranked(architectures: Sequence[Architecture]) -> tuple[RankedChild, ...]:
        texts = [record.space.format(a) for a in architectures]
        return tuple(_child(t, shared_found[t], objective.metric, found[t], source.metric) for t in texts)

    random, chosen = ranked(drawn), ranked(best)
    all_found = [measurement for text in every for measurement in found[text]]
    result = Ranking(
        naopt=__version__,
        run=str(record.directory),
        space=record.space.name,
        searcher=record.config.searcher,
        run_seed=record.config.seed,
        shared_metric=objective.metric,
        metric=source.metric,
        goal=source.info.goal,
        unit=source.info.unit,
        table=source.table,
        seed=seed,
        repeats=repeats or 1,
        figures=ranking_figures(random, chosen, objective.goal, source.info.goal),
        random=random,
        top=chosen,
        trainings=0 if source.table else len(all_found),
        failed=sum(not measurement.ok for measurement in all_found),
        seconds=sum(measurement.seconds for measurement in all_found),
        cpu_seconds=sum(measurement.metrics.get(CPU_SECONDS, 0.0) for measurement in all_found),
        shared_seconds=shared_seconds,
    )
    with to_be_continued():
        result.write(record.directory)
    return result


def _finished(directory: Path) -> RunRecord:
    record = load_run(directory)
    if not shares_weights(record.config.searcher):
        raise InputError("run", str(directory), f"searcher {record.config.searcher} shares no weights")
    if not record.finished:
        raise InputError("run", str(directory), f"is not finished; go on with: naopt resume {directory}")
    if record.best() is None:
        raise InputError("run", str(directory), "has no pick: no candidate was measured with shared weights")
    return record


def _measure_shared(
    evaluator: Evaluator, architectures: Mapping[str, Architecture], progress: Progress
) -> dict[str, Measurement]:
    evaluator.prepare()
    found = {}
    with progress("children with shared weights", len(architectures), 0) as advance:
        for text, architecture in architectures.items():
            found[text] = evaluator.evaluate(architecture, 0)
            advance()
    return found


def _child(
    text: str, shared: Measurement, shared_metric: str, found: Sequence[Measurement], metric: str
) -> RankedChild:
    values = [measurement.metrics[metric] for measurement in found if measurement.ok]
    reasons = [f"shared weights: {shared.reason}"] if not shared.ok else []
    reasons += [f"{measurement.status}: {measurement.reason}" for measurement in found if not measurement.ok]
    return RankedChild(
        text,
        shared.metrics[shared_metric] if shared.ok else None,
        mean(values) if values else None,
        "; ".join(dict.fromkeys(reasons)),
    )
