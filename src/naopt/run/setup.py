"""From a configuration to the parts of a search."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from naopt.configuration import Settings
from naopt.devices.setting import LATENCY
from naopt.errors import InputError, UnknownNameError
from naopt.evaluators.base import Evaluator
from naopt.evaluators.function import FunctionEvaluator
from naopt.evaluators.proxy_costs import ProxyCosts
from naopt.evaluators.table import TableEvaluator
from naopt.evaluators.training import TrainingEvaluator
from naopt.evaluators.workloads import WORKLOADS, create_workload
from naopt.evaluators.zero_cost import DEFAULT_PROXY, ZeroCostEvaluator
from naopt.execution import Engine, FailurePolicy, create_engine
from naopt.execution.whole import Manner
from naopt.files import is_there
from naopt.latent.beliefs import Belief, Beliefs
from naopt.networks.costs import COST_METRICS
from naopt.one_shot import OneShotSettings
from naopt.one_shot.candidates import CandidateSearcher
from naopt.one_shot.evaluator import SharedWeightsEvaluator
from naopt.one_shot.kinds import searcher_kind, shares_weights
from naopt.problem import Objective, Problem, named_objectives
from naopt.proxies import ProxySettings, proxies_for
from naopt.run.beliefs import with_beliefs
from naopt.run.config import RunConfig
from naopt.run.fidelities import with_fidelities
from naopt.run.finalist_training import check_finalists
from naopt.run.names import SUPERNET
from naopt.run.priors import with_priors
from naopt.run.problem import check_enqueued, read_problem
from naopt.run.supernet import shared_evaluator
from naopt.searchers import Searcher, searchers
from naopt.searchers.base import one_only
from naopt.searchers.making import make_searcher
from naopt.searchers.scalarised import Scalarisation
from naopt.spaces import Architecture, SearchSpace, create_space
from naopt.store.history import Prior, read_history
from naopt.store.sources import Source
from naopt.tables import load_table
from naopt.tasks import find_task, located

Check = Callable[[Mapping[str, str]], None]
"""May refuse the contents of what measures."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What a search needs. ``config`` is complete: nothing in it is left to defaults that may change."""

    config: RunConfig
    space: SearchSpace
    evaluator: Evaluator
    problem: Problem
    settings: Settings

    @property
    def objective(self) -> Objective:
        """The first one."""
        return self.problem.objective

    def history(self) -> list[Prior]:
        """What the searcher is told first. Raises ``InputError`` as ``read_history``."""
        config, contents = self.config, self.evaluator.table_contents
        return read_history(config.history, self.space, self.objective, config.task, contents)

    @property
    def beliefs(self) -> Sequence[Belief]:
        """What it knows from other tasks."""
        return self.problem.priors.beliefs if isinstance(self.problem.priors, Beliefs) else ()

    def searcher(self) -> Searcher:
        """A fresh searcher; one that shares weights has named its candidates before, and here names no more."""
        seed, budget = self.config.seed, self.config.budget
        if isinstance(self.settings, OneShotSettings):
            return CandidateSearcher(self.space, self.problem, (), seed=seed, budget=budget)
        kind = searchers.get(self.config.searcher)
        chosen = Scalarisation.parse(self.config.scalarise) if self.config.scalarise else None
        return make_searcher(
            kind, self.space, self.problem, self.settings, seed=seed, budget=budget, scalarisation=chosen
        )

    def engine(self, workers: int) -> Engine:
        """What carries evaluations out, with the failure policy. Raises ``InputError`` as ``create_engine``."""
        config = self.config
        return create_engine(
            config.engine,
            self.evaluator,
            workers,
            config.timeout or None,
            workers_per_device=config.workers_per_device,
            failures=FailurePolicy(config.retries, config.smaller_batch, config.stop_after, config.stop_alike),
        )

    def manner(self) -> Manner:
        """How the search is carried out."""
        config = self.config
        return Manner(
            schedule=config.search_schedule,
            batch=int(config.search_batch),
            stop_after=config.stop_after,
            stop_alike=0 if self.evaluator.inline else config.stop_alike,  # look-ups cost nothing
            instant=self.evaluator.inline,
            searcher=config.searcher,
            by_name=isinstance(self.evaluator, FunctionEvaluator),
        )

    def enqueued(self) -> list[Architecture]:
        """What is measured first."""
        return [self.space.parse(text) for text in self.config.enqueue]


def prepare(
    config: RunConfig,
    directory: Path | None = None,
    evaluator: Evaluator | None = None,
    check: Check = lambda _: None,
) -> Setup:
    """Resolves names, defaults and relative paths.

    Args:
        config: of the search.
        directory: of the run; a searcher that shares weights keeps its supernet there.
        evaluator: what measures, where the configuration cannot say: a Python function.
        check: is called with the ``table_contents`` of what measures, and may refuse them.

    Raises:
        InputError: an unknown name or option, none or more than one of task, table and supernet, noise without a table,
            something enqueued that a limit on a known cost forbids, priors as for ``with_priors``, a space that is not
            the table's, or a searcher that shares weights without a task.
    """
    kind = searcher_kind(config.searcher)
    settings = kind.settings_type.parse(config.searcher_settings, f"setting of searcher {config.searcher}")
    sources = [name for name in ("task", "table", "supernet", "function", "elsewhere") if getattr(config, name)]
    if len(sources) > 1:
        raise InputError(sources[0], getattr(config, sources[0]), f"and {sources[1]} '{getattr(config, sources[1])}': "
                         "give one of them, not both")  # fmt: skip
    if config.noise != "mean" and not config.table:
        raise InputError("noise", config.noise, "has a use only with a table")
    if config.device_file and not config.task:
        raise InputError("device file", config.device_file, "has a use only where networks are trained: --task")
    if config.zero_cost and (not config.task or shares_weights(config.searcher)):
        rule = "has no use with a searcher that trains shared weights" if config.task else "give --task"
        raise InputError("zero-cost", config.searcher if config.task else config.table or "", rule)
    if config.proxy and not config.task:
        raise InputError("proxy", ", ".join(config.proxy), "has a use only where networks are built: --task")
    if config.known and not config.table:
        raise InputError("known", ", ".join(config.known), "has a use only with a table")
    if shares_weights(config.searcher) and not config.task:
        rule = "shares weights between the networks that it trains: give --task"
        raise InputError("searcher", config.searcher, rule)
    for name in ("enqueue", "history"):
        if getattr(config, name) and shares_weights(config.searcher):
            rule = f"has no use with searcher {config.searcher}, whose candidates come from its shared weights alone"
            raise InputError(name, ", ".join(getattr(config, name)), rule)
    if evaluator is not None:
        check(evaluator.table_contents)
        config = config.model_copy(update={"space": evaluator.space.name, "space_options": {}})
    elif config.function:
        rule = "measures this search: go on with it in Python, naopt.search(..., run=...)"
        raise InputError("function", config.function, rule)
    elif config.elsewhere:
        raise InputError("elsewhere", "true", "begin such a search with: naopt ask DIR --space S --metric M")
    elif config.table:
        config, evaluator = _look_up(config, check)
    elif config.supernet:
        config, evaluator = _share(config)
    elif config.task:
        config, evaluator = _train(config)
        if isinstance(settings, OneShotSettings):
            weights = (directory or Path()) / SUPERNET
            work = create_workload(config.task, config.training)
            evaluator = SharedWeightsEvaluator(
                evaluator.space, work, settings, weights, device=config.device, threads=config.threads
            )
    else:
        raise InputError("task", "", "give --task, --table or --supernet")
    assert evaluator is not None
    config, evaluator = with_fidelities(config, evaluator, directory)
    config, problem = with_priors(config, read_problem(config, evaluator), evaluator)
    problem = with_beliefs(config, problem, evaluator.space, directory)
    _check_several(config, problem, shares=shares_weights(config.searcher))
    if issubclass(kind, Searcher):
        kind.check(problem, settings)
    metric = ",".join(objective.metric for objective in problem.objectives)
    batch = config.workers if config.search_batch == "workers" else config.search_batch
    enqueued = [evaluator.space.parse(text) for text in config.enqueue]
    check_enqueued(problem, evaluator.space, enqueued)
    enqueue = tuple(map(evaluator.space.format, enqueued))
    history = tuple(str(Source.parse(source).absolute()) for source in config.history)
    update = {"metric": metric, "searcher_settings": _dump(settings), "search_batch": batch, "enqueue": enqueue}
    config = config.model_copy(update={**update, "history": history})
    check_finalists(config, evaluator, problem)
    return Setup(config, evaluator.space, evaluator, problem, settings)


def _check_several(config: RunConfig, problem: Problem, *, shares: bool) -> None:
    """Raises ``InputError`` for objectives that the searcher does not take, or a scalarisation that does not fit."""
    names = ", ".join(objective.metric for objective in problem.objectives)
    if shares:
        if len(problem.objectives) > 1 or config.scalarise:
            rule = "shares weights and takes one; search its supernet for several: --supernet DIR --searcher nao"
            raise InputError("objectives", names, f"{config.searcher} {rule}")
    elif config.scalarise:
        Scalarisation.parse(config.scalarise).directions(problem)
    elif len(problem.objectives) > 1 and not (kind := searchers.get(config.searcher)).several:
        raise InputError("objectives", names, one_only(kind))


def _share(config: RunConfig) -> tuple[RunConfig, Evaluator]:
    if config.training:
        raise InputError("training", ", ".join(config.training), "has no use with a supernet, which is trained")
    source = Path(config.supernet).resolve()
    evaluator = shared_evaluator(source, device=config.device)
    space = evaluator.space
    if config.space and create_space(config.space, config.space_options).name != space.name:
        raise InputError("space", config.space, f"supernet '{config.supernet}' is of space {space.name}")
    return config.model_copy(update={"supernet": str(source), "space": space.name, "space_options": {}}), evaluator


def _look_up(config: RunConfig, check: Check) -> tuple[RunConfig, Evaluator]:
    if config.training:
        raise InputError("training", ", ".join(config.training), "has no use with a table")
    table = load_table(config.table)
    check(table.contents)
    named = [each.metric for each in named_objectives(config.metric, table.infos)]
    named = named or [*config.fidelities[-1:], next(iter(table.infos))][:1]
    for metric in named:
        table.info(metric)
    metrics = [named[0], *(name for name in table.infos if name != named[0])]
    evaluator = TableEvaluator(table, metrics, config.noise, config.known)
    space = evaluator.space
    if config.space not in ("", space.name):
        rule = f"table {table.name} is of space {space.name}"
        try:
            other = create_space(config.space, config.space_options).name != space.name
        except UnknownNameError as error:
            raise InputError("space", config.space, f"{error.rule}; {rule}") from None
        if other:
            raise InputError("space", config.space, rule)
    source = str(Path(config.table).resolve()) if is_there(config.table) else config.table
    return config.model_copy(update={"table": source, "space": space.name, "space_options": {}}), evaluator


def _train(config: RunConfig) -> tuple[RunConfig, Evaluator]:
    spec = located(config.task)
    name = config.space or WORKLOADS[find_task(spec)[0].kind].default_space
    space = create_space(name, config.space_options)
    file = str(Path(config.device_file).resolve()) if config.device_file else ""
    named = {each.metric for each in named_objectives(config.metric)} | {*config.max, *config.min}
    shown = ProxySettings.parse(config.proxy, "proxy setting")
    work = create_workload(spec, config.training)
    update = {"device_file": file, "task": spec, "space": name, "training": _dump(work.settings)}
    device, threads = config.device, config.threads
    names = [each for each in proxies_for(work.task.kind) if each in named]
    if names or config.zero_cost or config.proxies:
        update["proxy"] = _dump(shown)
    if config.zero_cost:
        names = names or [DEFAULT_PROXY[work.task.kind]]
        measuring = ZeroCostEvaluator(
            space, spec, work.settings, names=names, settings=shown, device=device, threads=threads, device_file=file
        )
        return config.model_copy(update=update), measuring
    names = [each for each in names if each not in COST_METRICS]
    proxies = ProxyCosts(space, work, names, config.seed, settings=shown, device=device, threads=threads)
    evaluator = TrainingEvaluator(
        space,
        spec,
        work.settings,
        latency_batch=config.latency_batch if LATENCY in named and not file else 0,
        device_file=file,
        device=device,
        threads=threads,
        proxies=proxies if names else None,
    )
    return config.model_copy(update=update), evaluator


def _dump(settings: Settings) -> dict[str, Any]:
    """All settings; TOML has no null, and leaving a key out means the same wherever null is allowed."""
    return settings.model_dump(mode="json", exclude_none=True)
