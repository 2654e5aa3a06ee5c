"""From a configuration to what is known of architectures before they are measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from naopt.errors import InputError
from naopt.evaluators.base import Evaluator
from naopt.evaluators.prior_columns import prior_columns
from naopt.evaluators.proxy_costs import DEFAULT_PROXIES, ProxyCosts
from naopt.evaluators.table import TableEvaluator
from naopt.evaluators.training import TrainingEvaluator
from naopt.one_shot.kinds import searcher_kind, shares_weights
from naopt.problem import Problem
from naopt.proxies import ProxySettings
from naopt.run.config import RunConfig
from naopt.searchers import Searcher, searchers

DEFAULT, NONE = "default", "none"
_WEIGHT = "prior_weight/"


def with_priors(config: RunConfig, problem: Problem, evaluator: Evaluator) -> tuple[RunConfig, Problem]:
    """The problem with its priors, and the configuration with the names of proxies in place of ``default``.

    Raises:
        InputError: columns without a table, one that the search is about, proxies where nothing is trained, unknown
            names, or a searcher that takes no prior knowledge.
    """
    proxies = config.proxies if config.proxies != (NONE,) else ()
    if proxies or config.prior_columns:
        check_informed(config.searcher)
    if config.prior_columns:
        if not isinstance(evaluator, TableEvaluator):
            raise InputError("prior columns", ", ".join(config.prior_columns), "have a use only with a table")
        wanted = [objective.metric for objective in problem.objectives]
        problem = replace(problem, priors=prior_columns(evaluator.table, config.prior_columns, wanted))
    if proxies:
        if not isinstance(evaluator, TrainingEvaluator):
            rule = "are of networks that the search trains: give --task"
            raise InputError("proxies", ", ".join(proxies), rule)
        if proxies == (DEFAULT,):
            proxies = tuple(DEFAULT_PROXIES[evaluator.workload.task.kind])
        known = ProxyCosts(
            evaluator.space,
            evaluator.workload,
            proxies,
            config.seed,
            settings=ProxySettings.parse(config.proxy, "proxy setting"),
            device=evaluator.device,
            threads=evaluator.threads,
        )
        problem = replace(problem, priors=known, slow_priors=True)
    return config.model_copy(update={"proxies": proxies}), problem


def check_informed(searcher: str) -> None:
    """Raises ``InputError`` for a searcher that takes no prior knowledge."""
    kind = searcher_kind(searcher)
    if shares_weights(searcher) or not (issubclass(kind, Searcher) and kind.informed):
        able = ", ".join(name for name in searchers.names() if searchers.get(name).informed)
        raise InputError("searcher", searcher, f"takes no prior knowledge; take one of {able}")


def prior_weights(logs: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """By prior what it was worth to the latest fit that says so: its share of the kernels' weights.

    Args:
        logs: of rounds.
    """
    found = ({k.removeprefix(_WEIGHT): v for k, v in log.items() if k.startswith(_WEIGHT)} for log in reversed(logs))
    return next((weights for weights in found if weights), {})
