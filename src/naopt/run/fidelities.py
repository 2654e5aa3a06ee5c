"""From a configuration to cheaper versions of what measures."""

from __future__ import annotations

from pathlib import Path

from naopt.errors import InputError
from naopt.evaluators.base import Evaluator
from naopt.evaluators.table import TableEvaluator
from naopt.evaluators.training import TrainingEvaluator
from naopt.fidelity import Fidelity
from naopt.problem import named_objectives
from naopt.run.config import RunConfig
from naopt.run.names import CHILDREN
from naopt.run.record import RunRecord


def with_fidelities(
    config: RunConfig, evaluator: Evaluator, directory: Path | None = None
) -> tuple[RunConfig, Evaluator]:
    """The evaluator with the levels that are asked for, and the configuration with their costs.

    Args:
        config: of the search.
        evaluator: in full.
        directory: of the run, where trainings that are stopped early are kept.

    Raises:
        InputError: costs without levels, levels of what is neither a table nor training, or as ``Fidelity.parse``,
            ``TableEvaluator.with_fidelity`` and ``TrainingEvaluator.with_levels``.
    """
    if not config.fidelities:
        if config.fidelity_costs:
            shown = ", ".join(f"{cost:g}" for cost in config.fidelity_costs)
            raise InputError("fidelity costs", shown, "have a use only with --fidelities")
        return config, evaluator
    if isinstance(evaluator, TrainingEvaluator):
        metric = next((each.metric for each in named_objectives(config.metric)), "")
        folder = None if directory is None else directory / CHILDREN
        found = evaluator.with_levels(config.fidelities, config.fidelity_costs, metric=metric, folder=folder)
        assert found.fidelity is not None
        costs = config.fidelity_costs or found.fidelity.costs
        return config.model_copy(update={"fidelity_costs": costs}), found
    if not isinstance(evaluator, TableEvaluator):
        raise InputError("fidelities", ", ".join(config.fidelities), "have a use only with a table, or with training")
    fidelity = Fidelity.parse(config.fidelities, config.fidelity_costs)
    costs = config.fidelity_costs or fidelity.costs
    return config.model_copy(update={"fidelity_costs": costs}), evaluator.with_fidelity(fidelity)


def done_of(record: RunRecord) -> str:
    """How much of the budget is spent, in words: ``12 of 100``, or ``80 for 12.3 of 100 full ones``."""
    count, budget = f"{len(record.evaluated):,}", f"{record.config.budget:,}"
    if record.problem.fidelity is None:
        return f"{count} of {budget}"
    return f"{count} for {record.spent:.1f} of {budget} full ones"


def levels_of(record: RunRecord) -> dict[str, int]:
    """How many evaluations there were at each level, by its name; empty without fidelities."""
    fidelity = record.problem.fidelity
    if fidelity is None:
        return {}
    levels = [fidelity.number(trial.level) for trial in record.evaluated]
    return {name: levels.count(level) for level, name in enumerate(fidelity.metrics)}
