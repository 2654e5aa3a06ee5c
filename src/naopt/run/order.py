"""Which of the trials of a search are best."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from naopt.execution.trial import Trial
from naopt.measurement import Measurement, is_error
from naopt.problem import Objective, Problem
from naopt.repeats import pooled
from naopt.searchers.candidates import standard_errors
from naopt.spaces import SearchSpace

_ACCURACY = re.compile(r"(?<![a-z])acc(uracy)?(?![a-z])")
"""What of a metric's name is another in that of its loss: ``valid_acc/cifar10``."""


def best_first(
    trials: Sequence[Trial], problem: Problem, count: int, expected: Mapping[int, float] | None = None
) -> list[Trial]:
    """The ``count`` trials that are best by the first objective; what breaks a limit is none of them.

    Of equal ones that of less loss comes first (``valid_loss`` beside ``valid_acc``), then that of fewer parameters
    (``params``), then the earlier.

    Args:
        trials: of a search.
        problem: what was wanted.
        count: how many at most.
        expected: by index, scores that stand in for what was measured; see ``expected_scores``.
    """
    return _sorted(trials, problem, expected or {}, lambda trial: (trial.index,))[:count]


def together(trials: Sequence[Trial], problem: Problem) -> Sequence[Trial]:
    """One trial for each architecture, its first, with what all its measurements say together (``pooled``)."""
    if problem.repeats == 1:
        return trials
    first = {trial.architecture: trial for trial in reversed(trials)}
    told = [(trial.architecture, trial.measurement) for trial in trials if trial.measurement is not None]
    metrics = [objective.metric for objective in problem.objectives]
    return [replace(first[architecture], measurement=found) for architecture, found in pooled(told, metrics)]


def finalists_among(
    trials: Sequence[Trial], problem: Problem, count: int, expected: Mapping[int, float] | None = None
) -> list[Trial]:
    """The ``count`` trials that become finalists: those that are best as ``best_first`` says.

    Of those that are equal up to their parameters that of the smaller identity comes first, so that it does not matter
    which was proposed first. Arguments as ``best_first``.
    """
    by_identity = _sorted(trials, problem, expected or {}, lambda trial: (*trial.architecture.identity, trial.index))
    return by_identity[:count]


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


def with_finalist(trial: Trial, found: Measurement | None) -> Trial:
    """A trial with those metrics of its training as a finalist that it does not have itself.

    The standard error of what it has would be that of another measurement.
    """
    if found is None or trial.measurement is None:
        return trial
    own = trial.measurement.metrics
    new = {name: value for name, value in found.metrics.items() if name not in own and not is_error(name, own)}
    metrics = {**own, **new}
    return replace(trial, measurement=replace(trial.measurement, metrics=metrics))


def _sorted(
    trials: Sequence[Trial],
    problem: Problem,
    expected: Mapping[int, float],
    last: Callable[[Trial], tuple[int, ...]],
) -> list[Trial]:
    """Those with a score, the best first; of those that are equal up to their parameters by ``last``."""
    scored = [
        (
            -expected.get(trial.index, scores[0]),
            *_tie(problem.objective.metric, trial.measurement.metrics),
            last(trial),
            trial,
        )
        for trial in trials
        if trial.measurement is not None and (scores := problem.scores(trial.measurement)) is not None
    ]
    return [trial for *_, trial in sorted(scored, key=lambda row: row[:-1])]


@dataclass(frozen=True, slots=True)
class Leaders:
    """What measurements with errors say of who is best.

    Attributes:
        expected: scores by trial index; none where no errors were stated.
        level: how many others may be as good as the one that is expected to be best.
    """

    expected: Mapping[int, float]
    level: int


def leaders(space: SearchSpace, trials: Sequence[Trial], problem: Problem) -> Leaders:
    """What is expected of trials whose first objective was measured with errors (``Measurement.error``).

    Of an architecture that was measured more than once there is one trial (``together``). A function of the
    measurements, whichever searcher asked for them. With several objectives nothing is expected: the
    front is of what was measured, and the best by the first objective is a member of it.
    """
    if len(problem.objectives) > 1:
        return Leaders({}, 0)
    told = [
        (trial, trial.measurement, scores[0])
        for trial in trials
        if trial.measurement is not None and (scores := problem.scores(trial.measurement)) is not None
    ]
    architectures = [trial.architecture for trial, _, _ in told]
    history = list(zip(architectures, (measurement for _, measurement, _ in told), strict=True))
    errors = standard_errors(history, problem.objective)
    if errors is None:
        return Leaders({}, 0)
    from naopt.latent.expectations import expectations

    found = expectations(space, architectures, np.array([score for *_, score in told]), errors)
    best = int(found.mean.argmax())
    indices = (trial.index for trial, _, _ in told)
    return Leaders(dict(zip(indices, found.mean.tolist(), strict=True)), int(found.as_good_as(best).sum()) - 1)


def _tie(metric: str, metrics: Mapping[str, float]) -> tuple[float, float]:
    """Loss and number of parameters, where they were measured."""
    loss = metrics.get(_ACCURACY.sub("loss", metric), 0.0)
    return loss, next((value for name, value in sorted(metrics.items()) if name.startswith("param")), 0.0)
