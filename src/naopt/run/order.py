"""Which of the trials of a search are best."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from naopt.execution.trial import Trial
from naopt.measurement import Measurement
from naopt.problem import Objective, Problem

_ACCURACY = re.compile(r"(?<![a-z])acc(uracy)?(?![a-z])")
"""What of a metric's name is another in that of its loss: ``valid_acc/cifar10``."""


def best_first(trials: Sequence[Trial], problem: Problem, count: int) -> list[Trial]:
    """The ``count`` trials that are best by the first objective; what breaks a limit is none of them.

    Of equal ones that of less loss comes first (``valid_loss`` beside ``valid_acc``), then that of fewer parameters
    (``params``), then the earlier.
    """
    return _sorted(trials, problem, lambda trial: (trial.index,))[:count]


def leaders(trials: Sequence[Trial], problem: Problem, count: int) -> list[Trial]:
    """The ``count`` trials that are most likely best, as far as the search can tell: what becomes finalists.

    Those that measured best by the first objective; of equal ones that of less loss, then that of fewer parameters,
    then that of the smaller identity, so that it does not matter which was proposed first.
    """
    return _sorted(trials, problem, lambda trial: (*trial.architecture.identity, trial.index))[:count]


def trained_first(scored: Sequence[Trial], finalists: Mapping[int, Measurement], objective: Objective) -> list[Trial]:
    """Trials as they are, those that were trained as finalists before all others, by what that gave."""
    trained = [
        replace(trial, measurement=found)
        for trial in scored
        if (found := finalists.get(trial.index)) is not None and found.ok
    ]
    own = {trial.index: trial for trial in scored}
    first = [own.pop(trial.index) for trial in best_first(trained, Problem.of(objective), len(trained))]
    return first + list(own.values())


def _sorted(trials: Sequence[Trial], problem: Problem, last: Callable[[Trial], tuple[int, ...]]) -> list[Trial]:
    """Those with a score, the best first; of those that are equal up to their parameters by ``last``."""
    scored = [
        (-scores[0], *_tie(problem.objective.metric, trial.measurement.metrics), last(trial), trial)
        for trial in trials
        if trial.measurement is not None and (scores := problem.scores(trial.measurement)) is not None
    ]
    return [trial for *_, trial in sorted(scored, key=lambda row: row[:-1])]


def _tie(metric: str, metrics: Mapping[str, float]) -> tuple[float, float]:
    """Loss and number of parameters, where they were measured."""
    loss = metrics.get(_ACCURACY.sub("loss", metric), 0.0)
    return loss, next((value for name, value in sorted(metrics.items()) if name.startswith("param")), 0.0)
