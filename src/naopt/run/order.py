"""Which of the trials of a search are best."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from naopt.execution.trial import Trial
from naopt.problem import Problem

_ACCURACY = re.compile(r"(?<![a-z])acc(uracy)?(?![a-z])")
"""What of a metric's name is another in that of its loss: ``valid_acc/cifar10``."""


def best_first(trials: Sequence[Trial], problem: Problem, count: int) -> list[Trial]:
    """The ``count`` trials that are best by the first objective; what breaks a limit is none of them.

    Of equal ones that of less loss comes first (``valid_loss`` beside ``valid_acc``), then that of fewer parameters
    (``params``), then the earlier.
    """
    scored = [
        (-scores[0], *_tie(problem.objective.metric, trial.measurement.metrics), trial.index, trial)
        for trial in trials
        if trial.measurement is not None and (scores := problem.scores(trial.measurement)) is not None
    ]
    return [trial for *_, trial in sorted(scored, key=lambda row: row[:-1])[:count]]


def _tie(metric: str, metrics: Mapping[str, float]) -> tuple[float, float]:
    """Loss and number of parameters, where they were measured."""
    loss = metrics.get(_ACCURACY.sub("loss", metric), 0.0)
    return loss, next((value for name, value in sorted(metrics.items()) if name.startswith("param")), 0.0)
