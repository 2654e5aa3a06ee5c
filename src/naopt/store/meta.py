"""What is wanted, as the meta data of a search have it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from naopt.problem import Limit, Objective, Problem


def problem_document(problem: Problem) -> dict[str, Any]:
    """Keys of the meta data: ``objective``, and where there are more of them or limits ``objectives``, ``limits``."""
    objectives = [{"metric": objective.metric, "goal": objective.goal} for objective in problem.objectives]
    limits = [{"metric": limit.metric, "bound": limit.bound, "value": limit.value} for limit in problem.limits]
    more = {} if problem.ordinary else {"objectives": objectives, "limits": limits}
    return {"objective": objectives[0], **more}


def problem_of(meta: Mapping[str, Any]) -> Problem:
    """Inverse of ``problem_document``. Raises ``KeyError``, ``TypeError`` or ``InputError`` for damaged meta data."""
    objectives = meta.get("objectives") or [meta["objective"]]
    limits = meta.get("limits", ())
    return Problem(
        tuple(Objective(each["metric"], each["goal"]) for each in objectives),
        tuple(Limit(each["metric"], each["bound"], each["value"]) for each in limits),
    )
