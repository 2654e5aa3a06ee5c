"""From a configuration to the parts of a search."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from naopt.configuration import Settings
from naopt.errors import InputError, UnknownNameError
from naopt.evaluators.base import Evaluator
from naopt.evaluators.table import TableEvaluator
from naopt.evaluators.training import TrainingEvaluator
from naopt.evaluators.workloads import WORKLOADS
from naopt.run.config import RunConfig
from naopt.searchers import Objective, Searcher, searchers
from naopt.spaces import SearchSpace, create_space
from naopt.tables import load_table
from naopt.tasks import tasks


@dataclass(frozen=True, slots=True)
class Setup:
    """What a search needs. ``config`` is complete: nothing in it is left to defaults that may change."""

    config: RunConfig
    space: SearchSpace
    evaluator: Evaluator
    objective: Objective
    settings: Settings

    def searcher(self) -> Searcher:
        """A fresh searcher."""
        kind = searchers.get(self.config.searcher)
        return kind(self.space, self.objective, self.settings, seed=self.config.seed, budget=self.config.budget)


def prepare(config: RunConfig) -> Setup:
    """Resolves names, defaults and relative paths.

    Raises:
        InputError: an unknown name or option, none or both of task and table, noise without a table, or a space that is
            not the table's.
    """
    kind = searchers.get(config.searcher)
    settings = kind.settings_type.parse(config.searcher_settings, f"setting of searcher {config.searcher}")
    if config.task and config.table:
        raise InputError("task", config.task, f"and table '{config.table}': give one of them, not both")
    if config.table:
        config, evaluator = _look_up(config)
    elif config.noise != "mean":
        raise InputError("noise", config.noise, "has a use only with a table")
    elif config.task:
        config, evaluator = _train(config)
    else:
        raise InputError("task", "", "give --task or --table")
    metric = config.metric or evaluator.default_metric
    if metric not in evaluator.metrics:
        raise UnknownNameError("metric", metric, evaluator.metrics)
    objective = Objective(metric, evaluator.metrics[metric].goal)
    config = config.model_copy(update={"metric": metric, "searcher_settings": _dump(settings)})
    return Setup(config, evaluator.space, evaluator, objective, settings)


def _look_up(config: RunConfig) -> tuple[RunConfig, Evaluator]:
    if config.training:
        raise InputError("training", ", ".join(config.training), "has no use with a table")
    table = load_table(config.table)
    metric = config.metric or next(iter(table.infos))
    table.info(metric)
    evaluator = TableEvaluator(table, [metric, *(name for name in table.infos if name != metric)], config.noise)
    space = evaluator.space
    if (
        config.space
        and config.space != space.name
        and create_space(config.space, config.space_options).name != space.name
    ):
        raise InputError("space", config.space, f"table {table.name} is of space {space.name}")
    source = str(Path(config.table).resolve()) if Path(config.table).exists() else config.table
    return config.model_copy(update={"table": source, "space": space.name, "space_options": {}}), evaluator


def _train(config: RunConfig) -> tuple[RunConfig, Evaluator]:
    task, colon, source = config.task.partition(":")
    name = config.space or WORKLOADS[tasks.get(task).kind].default_space
    space = create_space(name, config.space_options)
    if colon and source and tasks.get(task).takes_source:
        source = str(Path(source).resolve())
    spec = task + colon + source
    evaluator = TrainingEvaluator(space, spec, config.training, device=config.device, threads=config.threads)
    update = {"task": spec, "space": name, "training": _dump(evaluator.settings)}
    return config.model_copy(update=update), evaluator


def _dump(settings: Settings) -> dict[str, Any]:
    """All settings; TOML has no null, and leaving a key out means the same wherever null is allowed."""
    return settings.model_dump(mode="json", exclude_none=True)
