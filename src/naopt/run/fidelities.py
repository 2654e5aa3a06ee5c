"""From a configuration to cheaper versions of what measures."""

from __future__ import annotations

from naopt.errors import InputError
from naopt.evaluators.base import Evaluator
from naopt.evaluators.table import TableEvaluator
from naopt.fidelity import Fidelity
from naopt.run.config import RunConfig


def with_fidelities(config: RunConfig, evaluator: Evaluator) -> tuple[RunConfig, Evaluator]:
    """The evaluator with the levels that are asked for, and the configuration with their costs.

    Raises:
        InputError: costs without levels, levels of what is no table, or as ``Fidelity.parse`` and ``with_fidelity``.
    """
    if not config.fidelities:
        if config.fidelity_costs:
            shown = ", ".join(f"{cost:g}" for cost in config.fidelity_costs)
            raise InputError("fidelity costs", shown, "have a use only with --fidelities")
        return config, evaluator
    if not isinstance(evaluator, TableEvaluator):
        raise InputError("fidelities", ", ".join(config.fidelities), "have a use only with a table")
    fidelity = Fidelity.parse(config.fidelities, config.fidelity_costs)
    costs = config.fidelity_costs or fidelity.costs
    return config.model_copy(update={"fidelity_costs": costs}), evaluator.with_fidelity(fidelity)
