"""Evaluations, as one looks at them in Python."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from naopt.execution.trial import Trial
from naopt.problem import Objective
from naopt.spaces import Architecture, SearchSpace, Value


@dataclass(frozen=True, slots=True)
class ResultTrial:
    """One evaluation of a search.

    Attributes:
        index: of the evaluation, 0-based, in the order of proposals; ``round`` is the round of the searcher.
        origin: how the searcher found it; ``enqueued`` if it was told to measure it.
        architecture: what was measured; ``text`` is its text form, and ``values`` what is chosen at each position, by
            its name, as it was given to the space.
        value: the metric that is optimised; ``None`` if the evaluation did not succeed.
        error: its standard error; ``None`` where what measured it stated none.
        metrics: everything that was measured.
        predicted: what the searcher expected of ``value``, if it expected anything.
        status: ``ok``, ``failed``, ``timeout``, ...; ``reason`` says why in one line, and ``details`` holds traceback
            and output of what failed.
        seconds: that the evaluation took.
        level: of fidelity at which it was measured; ``None``: the full one. Below it there is no ``value``.
        cost: in full evaluations.
    """

    index: int
    round: int
    origin: str
    architecture: Architecture
    text: str
    values: Mapping[str, Value]
    value: float | None
    error: float | None
    metrics: Mapping[str, float]
    predicted: float | None
    status: str
    reason: str
    details: str
    seconds: float
    level: int | None = None
    cost: float = 1.0

    @property
    def ok(self) -> bool:
        """Whether the evaluation succeeded."""
        return self.status == "ok"


def view_of(trial: Trial, space: SearchSpace, objective: Objective) -> ResultTrial:
    """A trial that was measured."""
    found = trial.measurement
    assert found is not None
    return ResultTrial(
        index=trial.index,
        round=trial.round,
        origin=trial.origin,
        architecture=trial.architecture,
        text=trial.text,
        values=space.values(trial.architecture),
        value=found.metrics.get(objective.metric) if found.ok else None,
        error=found.error(objective.metric) if found.ok else None,
        metrics=dict(found.metrics),
        predicted=trial.predicted,
        status=found.status,
        reason=found.reason,
        details=found.details,
        seconds=found.seconds,
        level=trial.level,
        cost=trial.cost,
    )
