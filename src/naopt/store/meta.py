"""What is wanted, as the meta data of a search have it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from naopt.fidelity import Fidelity
from naopt.problem import Limit, Objective, Problem


def problem_document(problem: Problem) -> dict[str, Any]:
    """Keys of the meta data: ``objective``, and where there are some ``objectives``, ``limits``, ``fidelity``."""
    objectives = [{"metric": objective.metric, "goal": objective.goal} for objective in problem.objectives]
    limits = [{"metric": limit.metric, "bound": limit.bound, "value": limit.value} for limit in problem.limits]
    more: dict[str, Any] = {} if problem.ordinary else {"objectives": objectives, "limits": limits}
    if problem.fidelity is not None:
        fidelity = problem.fidelity
        more["fidelity"] = {"metrics": list(fidelity.metrics), "costs": list(fidelity.costs)}
        if fidelity.apart:
            more["fidelity"]["apart"] = fidelity.apart
    if problem.repeats > 1:
        more["repeats"] = problem.repeats
    return {"objective": objectives[0], **more}


def problem_of(meta: Mapping[str, Any]) -> Problem:
    """Inverse of ``problem_document``. Raises ``KeyError``, ``TypeError`` or ``InputError`` for damaged meta data."""
    objectives = meta.get("objectives") or [meta["objective"]]
    limits = meta.get("limits", ())
    levels = meta.get("fidelity")
    return Problem(
        tuple(Objective(each["metric"], each["goal"]) for each in objectives),
        tuple(Limit(each["metric"], each["bound"], each["value"]) for each in limits),
        fidelity=None if levels is None else _fidelity_of(levels),
        repeats=int(meta.get("repeats", 1)),
    )


def _fidelity_of(levels: Mapping[str, Any]) -> Fidelity:
    return Fidelity(tuple(levels["metrics"]), tuple(levels["costs"]), int(levels.get("apart", 0)))
