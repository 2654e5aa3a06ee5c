"""How long finalists are expected to take, so that a search with a time limit leaves that much."""

from __future__ import annotations

import math
from collections.abc import Sequence

from naopt.evaluators.training import TrainingEvaluator
from naopt.evaluators.training_levels import relative_cost
from naopt.execution import Deadline, Observer, Trial
from naopt.run.finalist_training import finalist_evaluator
from naopt.run.setup import Setup
from naopt.run.workloads import workload_of

_LARGEST_SHARE = 0.5


class FinalistTime(Observer):
    """What the training of the finalists would take, if those that lead were they.

    Their evaluations took so many seconds; epochs and the multiply-adds of the space's networks say how much longer
    finalists train. Where the search trains no network alone, or nothing is measured yet, nobody knows, and it is 0.

    Args:
        setup: of the search, which has finalists.
        trials: that were measured in an earlier part of it.
        workers: how many are trained at a time.
    """

    def __init__(self, setup: Setup, trials: Sequence[Trial], workers: int) -> None:
        self._problem, self._count = setup.problem, setup.config.finalists
        self._waves = math.ceil(self._count / workers)
        self._largest = _LARGEST_SHARE * setup.config.time
        self._scored: list[tuple[float, float]] = []
        self._longer = 0.0
        if isinstance(setup.evaluator, TrainingEvaluator):
            own = workload_of(setup.evaluator)
            longer = workload_of(finalist_evaluator(setup.config, setup.evaluator))
            assert own is not None
            assert longer is not None
            self._longer = relative_cost(longer, own, setup.space)
        for trial in trials:
            self.measured(trial)

    def measured(self, trial: Trial) -> None:
        """See ``Observer``."""
        scores = None if trial.measurement is None else self._problem.scores(trial.measurement)
        if trial.measurement is not None and scores is not None:
            # What went on from a lower level took the time of the rest.
            self._scored.append((scores[0], trial.measurement.seconds / (trial.cost or 1.0)))

    def seconds(self) -> float:
        """Expected of all finalists; at most half of the time limit."""
        leading = [seconds for _, seconds in sorted(self._scored, reverse=True)[: self._count]]
        if not leading:
            return 0.0
        mean = math.fsum(leading) / len(leading)
        return min(mean * self._longer * self._waves, self._largest)


def measuring_deadline(
    setup: Setup, trials: Sequence[Trial], workers: int, deadline: Deadline
) -> tuple[Deadline, list[Observer]]:
    """When measuring has to end, so that finalists are trained in time, and who has to hear of the search for that."""
    if not (setup.config.time and setup.config.finalists):
        return deadline, []
    kept = FinalistTime(setup, trials, workers)
    return deadline.keeping(kept.seconds), [kept]
