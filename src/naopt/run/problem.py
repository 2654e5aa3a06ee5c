"""From a configuration to what is wanted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from naopt.devices.setting import LATENCY
from naopt.errors import InputError, UnknownNameError
from naopt.evaluators.base import Evaluator
from naopt.measurement import MetricInfo
from naopt.problem import Named, Problem, closest_to, limits_of, named_objectives
from naopt.proxies import proxies_for
from naopt.run.config import RunConfig
from naopt.searchers.base import Known
from naopt.searchers.forbidden import Forbidden
from naopt.spaces import Architecture, SearchSpace
from naopt.tasks import find_task

_SMALL = 100_000
_WALKS = 20
_FIRST = 4
_SEED = 0x6C696D


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
    named = named_objectives(config.metric, infos) or (Named(evaluator.default_metric),)
    for each in named:
        if each.metric not in infos:
            raise UnknownNameError("metric", each.metric, {*infos, *_others(config)})
    objectives = tuple(each.among(infos) for each in named)
    limits = limits_of(config.max, config.min)
    for limit in limits:
        if limit.metric not in infos:
            raise UnknownNameError(f"--{limit.bound}, metric", limit.metric, infos)
    problem = Problem(objectives, limits, costs, fidelity=evaluator.fidelity, repeats=config.remeasure)
    check_fidelity(problem)
    if config.remeasure > 1 and not evaluator.repeatable:
        raise InputError("remeasure", config.remeasure, SAME_DATA if config.task else ALL_THE_SAME)
    if config.remeasure > 1 and problem.measured:
        raise InputError("remeasure", str(problem.measured[0]), "has to be measured; repeats take no such limit")
    check_limits(problem, evaluator.space)
    return problem


ALL_THE_SAME = "would all be the same; of a table take --noise repeat"
SAME_DATA = "would all be measured on the same data; trainings on images in memory, without folds, are on others"
"""Why repeats are refused, of a table or function and of a training."""


def check_fidelity(problem: Problem) -> None:
    """Raises ``InputError`` for fidelities of what they are not for: several objectives, limits that are measured."""
    if problem.fidelity is None:
        return
    if len(problem.objectives) > 1:
        raise InputError("fidelities", ", ".join(problem.fidelity.metrics), "are for one objective")
    if problem.measured:
        raise InputError(
            "fidelities", str(problem.measured[0]), "is a limit that has to be measured, at no lower level"
        )


def _others(config: RunConfig) -> list[str]:
    """Metrics that are measured, or known, only where somebody names them."""
    return [LATENCY, *proxies_for(find_task(config.task)[0].kind)] if config.task else []


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
    if small:
        # In random order and ever larger parts: mostly the first one holds some that keep them.
        order, at = rng.permutation(len(architectures)).tolist(), 0
        while at < len(order):
            part = [architectures[index] for index in order[at : 2 * at + _FIRST]]
            if (forbidden.excess(part) == 0).any():
                return
            at = 2 * at + _FIRST
    else:
        for _ in range(_WALKS):
            architectures.append(forbidden.nearest(space, Known(), rng))
            if forbidden.excess(architectures[-1:])[0] == 0:
                return
    at, _, has = closest_to(problem.known, problem.costs.of(architectures))
    limits = " and ".join(map(str, problem.known))
    nothing = "no architecture keeps it" if small else "nothing that was looked at keeps it"
    raise InputError("limit", limits, f"{nothing}; the closest has {has}: {space.format(architectures[at])}")


def check_enqueued(problem: Problem, space: SearchSpace, architectures: Sequence[Architecture]) -> None:
    """Raises ``InputError`` for one that a limit on a known cost forbids: it is never measured, whoever asks for it."""
    if not problem.known or problem.costs is None:
        return
    forbidden = Forbidden(problem)
    for architecture in architectures:
        if architecture in forbidden:
            _, _, has = closest_to(problem.known, problem.costs.of([architecture]))
            limits = " and ".join(map(str, problem.known))
            raise InputError("enqueue", space.format(architecture), f"has {has}, and the limit is {limits}")
