"""``naopt list``."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from naopt.cli.common import JsonOption, emit, say


class Kind(StrEnum):
    """What can be listed."""

    SPACES = "spaces"
    SEARCHERS = "searchers"
    EVALUATORS = "evaluators"
    TASKS = "tasks"
    OPERATIONS = "operations"
    ACTIVATIONS = "activations"
    PROXIES = "proxies"
    TABLES = "tables"


def list_names(
    kind: Annotated[Kind, typer.Argument(help="What to list.")],
    as_json: JsonOption = False,
) -> None:
    """List what can be named on the command line, other packages' plug-ins included."""
    names = _summaries(kind)
    if as_json:
        emit({kind.value: names})
        return
    width = max(map(len, names), default=0)
    for name, summary in names.items():
        say(f"{name:<{width}}  {summary}".rstrip())


def _summaries(kind: Kind) -> dict[str, str]:
    if kind is Kind.SPACES:
        from naopt.spaces import spaces

        return spaces.summaries()
    if kind is Kind.SEARCHERS:
        from naopt.one_shot import one_shot
        from naopt.searchers import searchers

        return dict(sorted({**searchers.summaries(), **one_shot.summaries()}.items()))
    if kind is Kind.EVALUATORS:
        import naopt.one_shot  # noqa: F401 - files its evaluator
        from naopt.evaluators import evaluators

        return evaluators.summaries()
    if kind is Kind.TASKS:
        from naopt.tasks import tasks

        return tasks.summaries()
    if kind is Kind.OPERATIONS:
        from naopt.spaces.operations import OPERATION_SETS, operation_specs

        return {
            name: ", ".join(s for s, of_set in OPERATION_SETS.items() if name in of_set.operations)
            for name in operation_specs.names()
        }
    if kind is Kind.ACTIVATIONS:
        from naopt.spaces.activations import activation_specs

        return {name: activation_specs.get(name).formula for name in activation_specs.names()}
    if kind is Kind.PROXIES:
        from naopt.proxies import proxies

        found = {name: proxies.get(name) for name in proxies.names()}
        return {name: f"{proxy.meaning} ({proxy.source})" for name, proxy in found.items()}
    from naopt.tables import builtin_tables

    return dict.fromkeys(builtin_tables(), "")
