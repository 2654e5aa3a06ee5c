"""The same call again: a search that is begun where its directory is new, and goes on where it is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from naopt.errors import InputError
from naopt.evaluators.base import Evaluator
from naopt.locking import locked
from naopt.problem import Problem
from naopt.run.config import RunConfig
from naopt.run.contents import check_contents
from naopt.run.names import CONFIG, LOCK
from naopt.run.run import SearchRun, open_run
from naopt.run.search_state import MAY_CHANGE
from naopt.run.setup import Setup, prepare
from naopt.run.start import new_run
from naopt.spaces import positions_from_document
from naopt.store import RunStore
from naopt.store.meta import problem_of
from naopt.store.store import DATABASE
from naopt.values import plain

ARGUMENTS = {
    "metric": "objective",
    "max": "limits",
    "min": "limits",
    "function": "evaluate",
    "searcher_settings": "settings",
    "search_schedule": "schedule",
    "search_batch": "batch",
}
"""Arguments in Python by keys of a configuration, where they have other names."""


def begin_or_go_on(directory: Path, config: RunConfig, evaluator: Evaluator) -> SearchRun:
    """The run of a search, which is to be carried out: a new one, or the one that the same call began.

    A run that is there may be given a larger budget, and other values of what says how it is carried out and not what
    is searched: workers, device, engine and time limits.

    Args:
        directory: of the run.
        config: of the search.
        evaluator: what measures.

    Raises:
        InputError: a configuration that cannot be used, or that is not the one that the run began with: the line
            names the argument that differs. Or a directory that holds something else, or one that another process
            executes. Nothing was changed.
    """
    if not (directory / CONFIG).is_file():
        return new_run(directory, config, evaluator=evaluator)
    setup = prepare(config, directory, evaluator)
    with locked(directory / LOCK, "executed"), RunStore(directory / DATABASE) as store:
        began = RunConfig.from_values(store.meta.get("config", {}))
        _compare(directory, setup, began, store.meta)
        check_contents(directory, store.meta, setup.evaluator.table_contents)
        values = setup.config.to_values()
        if plain(values) != plain(began.to_values()):
            setup.config.write(directory / CONFIG)  # first: after a kill in between, the same call does both again
            store.note(config=values)
            if setup.config.time != began.time:
                store.note(time_is_up=False)
    run = open_run(directory, evaluator=evaluator)
    assert isinstance(run, SearchRun)
    return run


def _compare(directory: Path, setup: Setup, began: RunConfig, meta: dict[str, Any]) -> None:
    """Raises ``InputError`` with the first argument that is not as it was when the run began."""

    def refuse(argument: str, now: object, was: object) -> None:
        rule = f"run '{directory}' was begun with '{was}'; give that again, or another directory"
        raise InputError(argument, now, rule)

    space, problem = setup.space, problem_of(meta)
    if (space.name, space.positions) != (meta["space"], positions_from_document(meta["positions"])):
        same = space.name == meta["space"]
        refuse("space", f"{space.name}, with other positions" if same else space.name, meta["space"])
    if began.function != setup.config.function:
        refuse("evaluate", setup.config.function, began.function or began.table or began.task or began.supernet)
    if setup.problem.objectives != problem.objectives:
        refuse("objective", _written(setup.problem), _written(problem))
    for key in RunConfig.model_fields:
        if key in (*MAY_CHANGE, "budget", "space", "space_options"):
            continue
        now, then = plain(getattr(setup.config, key)), plain(getattr(began, key))
        if key == "searcher_settings":  # those that a later naopt has added have their defaults
            then = type(setup.settings).parse(then).model_dump(mode="json", exclude_none=True)
        if now != then:
            refuse(ARGUMENTS.get(key, key), now, then)
    if setup.config.budget < began.budget:
        refuse("budget", setup.config.budget, began.budget)


def _written(problem: Problem) -> str:
    return ",".join(f"{objective.goal}:{objective.metric}" for objective in problem.objectives)
