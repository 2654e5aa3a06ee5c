"""Which architecture of a search is meant: the knee of its front, an evaluation, or the best by a metric."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from naopt.errors import InputError, UnknownNameError
from naopt.execution.trial import Trial
from naopt.measurement import GOALS
from naopt.problem import Limit, Objective, closest_to
from naopt.run.record import RunRecord

_RULE = "must be knee, index=N, or max:METRIC or min:METRIC with limits: max:valid_acc,latency_ms<=5"


@dataclass(frozen=True, slots=True)
class Pick:
    """One architecture of a search; the knee of its front where nothing else is said.

    Attributes:
        index: of the evaluation.
        objective: what the architecture is best by, of those that keep ``limits``. Of equally good ones a member of the
            front is taken, then the earlier.
    """

    index: int | None = None
    objective: Objective | None = None
    limits: tuple[Limit, ...] = ()

    @classmethod
    def parse(cls, text: str, option: str = "--pick") -> Pick:
        """``knee``, ``index=N``, ``max:METRIC[,METRIC<=N...]`` or ``min:...``. Raises ``InputError`` for other text."""
        text = text.strip()
        if text == "knee":
            return cls()
        name, equals, number = text.partition("=")
        if equals and name.strip() == "index":
            if not number.strip().isdecimal():
                raise InputError(option, text, _RULE)
            return cls(index=int(number))
        for goal in GOALS:
            if text.startswith(f"{goal}:"):
                metric, *limits = (part.strip() for part in text.removeprefix(f"{goal}:").split(","))
                if not metric or "=" in metric:
                    raise InputError(option, text, _RULE)
                return cls(
                    objective=Objective(metric, goal),
                    limits=tuple(Limit.parse(part, f"{option}, limit") for part in limits),
                )
        raise InputError(option, text, _RULE)

    def of(self, record: RunRecord, option: str = "--pick") -> Trial:
        """The evaluation that is meant.

        Raises:
            InputError: no such evaluation, one that gave nothing or breaks a limit of the search, a metric that was not
                measured, or limits that no evaluation keeps.
        """
        if self.index is not None:
            return self._evaluation(record, self.index, option)
        front = record.front()
        if not front:
            raise InputError("run", str(record.directory), record.why_none())
        if self.objective is None:
            knee = record.knee()
            assert knee is not None
            return knee
        return self._best(record, self.objective, front, option)

    def _evaluation(self, record: RunRecord, index: int, option: str) -> Trial:
        trial = next((trial for trial in record.evaluated if trial.index == index), None)
        if trial is None or trial.measurement is None:
            raise InputError(option, f"index={index}", f"there is no such evaluation in {record.directory}")
        if record.score(trial) is None:
            found = trial.measurement
            lower = "it was measured at a cheaper level only" if trial.level is not None else ""
            why = found.reason or lower or f"it breaks {', '.join(map(str, record.problem.broken(found.metrics)))}"
            raise InputError(option, f"index={index}", f"this evaluation is no result: {why}")
        return trial

    def _best(self, record: RunRecord, objective: Objective, front: list[Trial], option: str) -> Trial:
        members = {trial.index for trial in front}
        found = [(trial, trial.measurement.metrics) for trial in record.ranked() if trial.measurement is not None]
        names = {name for _, metrics in found for name in metrics}
        for name in (objective.metric, *(limit.metric for limit in self.limits)):
            if name not in names:
                raise UnknownNameError(f"{option}, metric", name, names)
        kept = [
            (-objective.sign * metrics[objective.metric], trial.index not in members, trial.index, trial)
            for trial, metrics in found
            if objective.metric in metrics and all(limit.met(metrics) for limit in self.limits)
        ]
        if not kept:
            limits = " and ".join(map(str, self.limits))
            raise InputError(option, limits, f"no evaluation keeps it{self._closest([m for _, m in found])}")
        return min(kept, key=lambda row: row[:-1])[-1]

    def _closest(self, measured: list[Mapping[str, float]]) -> str:
        whole = [metrics for metrics in measured if all(limit.metric in metrics for limit in self.limits)]
        if not whole:
            return ""
        columns = {limit.metric: np.array([metrics[limit.metric] for metrics in whole]) for limit in self.limits}
        return f"; the closest has {closest_to(self.limits, columns)[2]}"
