"""The last part of a weight-sharing search: the best candidates are trained stand-alone, and the best of them is found.

The run's meta data has ``metric`` and ``goal`` by which they are compared, under ``finalist_objective``.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from naopt.evaluators.training import TrainingEvaluator
from naopt.execution.jobs import Job, evaluation_seed
from naopt.execution.local import LocalEngine
from naopt.execution.trial import Trial
from naopt.measurement import Measurement
from naopt.one_shot import one_shot
from naopt.searchers.base import Objective

if TYPE_CHECKING:
    from naopt.run.config import RunConfig
    from naopt.run.setup import Setup
    from naopt.run.store import RunStore

_KEY = "finalist_objective"


def wanted_finalists(config: RunConfig) -> int:
    """How many finalists a run's configuration asks for; 0 where its searcher shares no weights."""
    return int(config.searcher_settings.get("finalists", 0)) if config.searcher in one_shot.names() else 0


def finalists(trials: Sequence[Trial], objective: Objective, count: int) -> list[Trial]:
    """The best ``count`` trials by the shared weights; of equal ones the earlier first."""
    scored = [(s, t) for t in trials if t.measurement is not None and (s := objective.score(t.measurement)) is not None]
    return [trial for _, trial in sorted(scored, key=lambda pair: (-pair[0], pair[1].index))[:count]]


def standalone_objective(meta: Mapping[str, Any]) -> Objective:
    """What a run's finalists are compared by: the task's own metric on the validation data."""
    return Objective(meta[_KEY]["metric"], meta[_KEY]["goal"])


def train_finalists(store: RunStore, setup: Setup, workers: int) -> None:
    """Trains the finalists of a run that were not trained yet, with a seed each, and stores what they gave.

    Args:
        store: of the run, all of whose candidates are measured.
        setup: of the run.
        workers: processes that train; results do not depend on it.
    """
    config = setup.config
    chosen = finalists(store.trials(setup.space), setup.objective, wanted_finalists(config))
    known = store.finalists()
    jobs = [
        Job(trial.index, trial.architecture, evaluation_seed(config.seed, trial.architecture))
        for trial in chosen
        if trial.index not in known
    ]
    if not jobs:
        return
    evaluator = TrainingEvaluator(
        setup.space, config.task, config.training, device=config.device, threads=config.threads
    )
    metric = evaluator.default_metric
    about = {"metric": metric, "goal": evaluator.metrics[metric].goal}
    with _timed(store), LocalEngine(evaluator, workers, config.timeout or None) as engine:
        for index, found in engine.evaluate(jobs):
            if found.status == "interrupted":
                raise KeyboardInterrupt
            store.record_finalist(index, found, **{_KEY: about})


def with_finalists(trials: Sequence[Trial], results: Mapping[int, Measurement]) -> list[Trial]:
    """The trials; those that were trained stand-alone with the metrics of that beside their own."""

    def completed(trial: Trial) -> Trial:
        found = results.get(trial.index)
        if found is None or trial.measurement is None:
            return trial
        measurement = replace(trial.measurement, metrics={**trial.measurement.metrics, **found.metrics})
        return replace(trial, measurement=measurement)

    return [completed(trial) for trial in trials]


@contextmanager
def _timed(store: RunStore) -> Iterator[None]:
    """Adds the time inside to the run's."""
    started = time.monotonic()
    try:
        yield
    finally:
        store.note(seconds=float(store.meta.get("seconds", 0.0)) + time.monotonic() - started)
