"""From a configuration to what is wanted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from naopt.devices.setting import LATENCY
from naopt.errors import InputError, UnknownNameError
from naopt.evaluators.base import Evaluator
from naopt.measurement import GOALS, Goal, MetricInfo
from naopt.problem import Objective, Problem, limits_of
from naopt.run.config import RunConfig
from naopt.searchers.base import Known
from naopt.searchers.forbidden import Forbidden
from naopt.spaces import SearchSpace

_SMALL = 100_000
_WALKS = 20
_SEED = 0x6C696D


@dataclass(frozen=True, slots=True)
class Named:
    """An objective as it is written: ``valid_acc``, ``min:latency_ms``. No goal: what measures knows it."""

    metric: str
    goal: Goal | None = None

    @classmethod
    def parse(cls, text: str) -> Named:
        """Raises ``InputError`` for another word before the colon, or nothing after it."""
        goal, colon, metric = text.strip().partition(":")
        if not colon or not metric:
            goal, metric = "", text.strip()
        known: dict[str, Goal] = {each: each for each in GOALS}
        if not metric or metric in known or (goal and goal not in known):
            raise InputError("objective", text, "must be METRIC, min:METRIC or max:METRIC")
        return cls(metric, known.get(goal))

    def __str__(self) -> str:
        return self.metric if self.goal is None else f"{self.goal}:{self.metric}"


def named_objectives(text: str) -> tuple[Named, ...]:
    """Objectives, separated by commas. Raises ``InputError`` as ``Named.parse``."""
    return tuple(Named.parse(part) for part in text.split(",")) if text else ()


def read_problem(config: RunConfig, evaluator: Evaluator) -> Problem:
    """What a search is to find.

    Args:
        config: ``metric``, ``max`` and ``min``; no metric means the evaluator's default.
        evaluator: what measures; says which way metrics are better.

    Raises:
        InputError: a metric that nobody measures, a goal other than the metric's, an objective or a limit given twice,
            limits that contradict each other, or that nothing keeps.
    """
    costs = evaluator.costs()
    infos: dict[str, MetricInfo] = dict.fromkeys(() if costs is None else costs.metrics, MetricInfo("min"))
    infos |= evaluator.metrics
    named = named_objectives(config.metric) or (Named(evaluator.default_metric),)
    objectives = tuple(_objective(each, infos, times=bool(config.task)) for each in named)
    limits = limits_of(config.max, config.min)
    for limit in limits:
        if limit.metric not in infos:
            raise UnknownNameError(f"--{limit.bound}, metric", limit.metric, infos)
    problem = Problem(objectives, limits, costs)
    check_limits(problem, evaluator.space)
    return problem


def _objective(named: Named, infos: Mapping[str, MetricInfo], *, times: bool) -> Objective:
    if named.metric not in infos:
        raise UnknownNameError("metric", named.metric, [*infos, *([LATENCY] if times else [])])
    goal = infos[named.metric].goal
    if named.goal not in (None, goal):
        raise InputError("objective", str(named), f"{named.metric} is to be {goal}imised, says what measures it")
    return Objective(named.metric, goal)


def check_limits(problem: Problem, space: SearchSpace) -> None:
    """Raises ``InputError``, with the closest there is, for limits on known costs that no architecture keeps.

    A space of at most 100,000 sequences is gone through, so there it is sure; in a larger one 20 walks towards the
    limits say it.
    """
    if not problem.known or problem.costs is None:
        return
    forbidden, rng = Forbidden(problem), np.random.default_rng(_SEED)
    small = space.size <= _SMALL
    architectures = list(dict.fromkeys(space.enumerate())) if small else []
    if not small:
        for _ in range(_WALKS):
            architectures.append(forbidden.nearest(space, Known(), rng))
            if forbidden.excess(architectures[-1:])[0] == 0:
                return
    excess = forbidden.excess(architectures)
    if (excess == 0).any():
        return
    closest = architectures[int(np.argmin(excess))]
    has = {name: values[0] for name, values in problem.costs.of([closest]).items()}
    limits = " and ".join(map(str, problem.known))
    met = ", ".join(f"{limit.metric} {has[limit.metric]:g}" for limit in problem.known)
    nothing = "no architecture keeps it" if small else "nothing that was looked at keeps it"
    raise InputError("limit", limits, f"{nothing}; the closest has {met}: {space.format(closest)}")
