"""Arguments of ``naopt.search``, parsed once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from naopt.api.again import ARGUMENTS
from naopt.api.result import Result
from naopt.configuration import Settings
from naopt.errors import InputError, UnknownNameError
from naopt.evaluators.base import Evaluator
from naopt.evaluators.function import SCORE, FunctionEvaluator, RaisingEvaluator
from naopt.evaluators.table import TableEvaluator
from naopt.evaluators.training import TrainingEvaluator
from naopt.measurement import Goal, MetricInfo
from naopt.problem import Limit, Named, Objective
from naopt.run.config import RunConfig
from naopt.spaces import Architecture, GenericSpace, SearchSpace, create_space
from naopt.tables import Table, load_table

Space = SearchSpace | Mapping[str, object] | str | Path
"""A space, choices by the names of positions, or the name of a space as on the command line."""
Evaluate = Callable[..., object] | Evaluator | Table | str | Path
"""A function, or what measures otherwise; text and paths are of tables."""
Measuring = Callable[..., object] | Evaluator | Table
Enqueued = Architecture | Mapping[str, object] | str
"""An architecture, its values, or its text form."""

Known = Result | str | Path
"""The result of a search with a directory, such a directory, a table or a CSV file; as text also ``SOURCE:METRIC``."""

Wanted = Objective | str | Sequence[Objective | str] | None
"""One objective, or several."""
Limits = Mapping[str, str] | Sequence[Limit | str] | Limit | str
"""``{"latency_ms": "<=5"}``; or ``"latency_ms<=5"``, ``Limit("latency_ms", "max", 5.0)``, one or several."""

_log = logging.getLogger(__name__)


def parse_space(space: Space | None) -> SearchSpace | None:
    """The space that is meant. Raises ``InputError`` for what is none."""
    if space is None or isinstance(space, SearchSpace):
        return space
    if isinstance(space, str):
        return create_space(space)
    return GenericSpace(space)


def parse_wanted(wanted: Wanted) -> list[Named]:
    """Metric and goal of each objective, one at least; an empty metric is left to the evaluator.

    Raises:
        InputError: as ``Named.parse``, no objective, or one among several without a name.
    """
    if isinstance(wanted, str):
        wanted = wanted.split(",")
    given = list(wanted) if isinstance(wanted, Sequence) else [wanted]
    if not given:
        raise InputError("objective", given, "must be metrics: ['accuracy', 'min:latency_ms']")
    return [_named(each, alone=len(given) == 1) for each in given]


def _named(wanted: object, *, alone: bool) -> Named:
    if wanted is None and alone:
        return Named("")
    if isinstance(wanted, Objective):
        return Named(wanted.metric, wanted.goal)
    return Named.parse(wanted, unnamed=alone)


def parse_limits(limits: Limits) -> tuple[Limit, ...]:
    """Limits; text is ``METRIC<=N`` or ``METRIC>=N``, by metric ``<=N`` or ``>=N``. Raises ``InputError`` for other."""
    if isinstance(limits, Mapping):
        for metric, bound in limits.items():
            if not isinstance(bound, str) or bound.strip()[:2] not in ("<=", ">="):
                raise InputError(f"limit of {metric}", bound, "must be '<=N' or '>=N'")
        limits = [f"{metric}{bound.strip()}" for metric, bound in limits.items()]
    given = [limits] if isinstance(limits, str | Limit) else list(limits)
    return tuple(each if isinstance(each, Limit) else Limit.parse(each) for each in given)


def parse_columns(columns: Sequence[str] | str) -> tuple[str, ...]:
    """Names of columns or proxies; text is one of them, or several separated by commas."""
    return tuple(columns.split(",")) if isinstance(columns, str) else tuple(columns)


def parse_measuring(evaluate: Evaluate) -> Measuring:
    """What measures, a table loaded from its file or name. Raises ``InputError`` if there is no such table."""
    return load_table(evaluate) if isinstance(evaluate, str | Path) else evaluate


def last_metric(evaluate: Evaluate, levels: Sequence[str]) -> str | None:
    """The objective that levels of fidelity end with, if nobody names one; those of trainings name no metric."""
    return levels[-1] if levels and not isinstance(evaluate, TrainingEvaluator) else None


def parse_evaluator(
    space: SearchSpace | None,
    evaluate: Measuring,
    wanted: Sequence[Named],
    limits: Sequence[Limit],
    *,
    as_values: bool | None,
    strict: bool,
) -> Evaluator:
    """What measures.

    Args:
        space: ``None`` for the evaluator's own.
        evaluate: a function, or what measures otherwise.
        wanted: metric and goal of each objective. An empty metric is ``score``, or the evaluator's default; a goal that
            is ``None`` is ``max``, or what the evaluator knows of the metric.
        limits: on further metrics of a function.
        as_values: how a function is called.
        strict: whether exceptions end the search.

    Raises:
        InputError: no space for a function, an evaluator of another space or without a metric, or another goal.
    """
    metric, goal = wanted[0]
    if isinstance(evaluate, Table):
        names = [metric, *(name for name in evaluate.infos if name != metric)] if metric else None
        for name, _ in wanted:
            if name:
                evaluate.info(name)
        evaluate = TableEvaluator(evaluate, names)
    if not isinstance(evaluate, Evaluator):
        if space is None:
            raise InputError("space", "None", "a function needs one")
        others: dict[str, Goal] = {limit.metric: "min" if limit.bound == "max" else "max" for limit in limits}
        others |= {name: way or "max" for name, way in wanted[1:]}
        others.pop(metric or SCORE, None)
        made: Evaluator = FunctionEvaluator(
            space, evaluate, metric or SCORE, goal or "max", as_values=as_values, strict=strict, others=others
        )
        return RaisingEvaluator(made) if strict else made
    own = evaluate.space
    if space is not None and (space.name, space.positions) != (own.name, own.positions):
        raise InputError("space", space.name, f"what measures is of space {own.name}")
    costs = evaluate.costs()
    infos = dict.fromkeys(() if costs is None else costs.metrics, MetricInfo("min")) | dict(evaluate.metrics)
    for name, way in wanted:
        name = name or evaluate.default_metric
        if name not in infos:
            raise UnknownNameError("metric", name, infos)
        Named(name, way).among(infos)
    return RaisingEvaluator(evaluate) if strict else evaluate


def name_of(evaluate: Measuring) -> str:
    """What measures, as a run's configuration names it."""
    if isinstance(evaluate, Table):
        return f"table {evaluate.name}"
    if isinstance(evaluate, Evaluator):
        return type(evaluate).__qualname__
    function = getattr(evaluate, "func", evaluate)  # of a partial one
    return str(getattr(function, "__qualname__", type(function).__qualname__))


def engine_name(evaluate: Measuring, workers: int, timeout: float | None, *, raising: bool) -> str:
    """Where evaluations happen: a function's in this process, unless there are to be several at a time or a limit."""
    if raising:
        if workers != 1 or timeout:
            _log.warning("raise_on_error: evaluations run in this process, one at a time and without a time limit")
        return "inline"
    return "local" if isinstance(evaluate, Evaluator | Table) or workers != 1 or timeout else "inline"


def parse_enqueued(space: SearchSpace, enqueue: Iterable[Enqueued] | Enqueued) -> tuple[str, ...]:
    """Text forms of architectures. Raises ``InputError`` for one that is not of the space."""
    given: Iterable[Enqueued] = [enqueue] if isinstance(enqueue, str | Mapping | Architecture) else enqueue
    return tuple(map(_text_of(space), given))


def _text_of(space: SearchSpace) -> Callable[[Enqueued], str]:
    def text(given: Enqueued) -> str:
        if isinstance(given, str):
            return space.format(space.parse(given))
        if isinstance(given, Architecture):
            if given.space != space.name:
                raise InputError("enqueue", given.space, f"is not the space of the search, {space.name}")
            return space.format(space.architecture(given.tokens))
        return space.format(space.architecture_of(given))

    return text


def parse_history(history: Iterable[Known] | Known) -> tuple[str, ...]:
    """Where other measurements lie. Raises ``InputError`` for a search in memory, which lies nowhere."""
    if isinstance(history, Result | str | Path):
        history = [history]
    elif hasattr(history, "to_csv"):
        raise InputError("history", f"a {type(history).__name__}", "write it into a CSV file, and give that")
    found = []
    for source in history:
        where = source.directory if isinstance(source, Result) else source
        if where is None:
            raise InputError("history", "a search in memory", "give run=DIR to searches that others learn from")
        found.append(str(where))
    return tuple(found)


def parse_config(values: Mapping[str, Any], settings: Mapping[str, Any] | Settings | None) -> RunConfig:
    """A configuration. Raises ``InputError``, with the argument's name, for a value that breaks a rule."""
    if isinstance(settings, Settings):
        settings = settings.model_dump(mode="json", exclude_unset=True, exclude_none=True)
    given = {key: value for key, value in values.items() if value is not None}
    try:
        return RunConfig.parse({**given, "searcher_settings": dict(settings or {})}, "argument")
    except InputError as error:
        key = error.what.partition(" ")[2].partition(".")[0]
        raise InputError(f"argument {ARGUMENTS.get(key, key)}", error.value, error.rule) from None


def parse_callbacks(callbacks: Sequence[Callable[[Result], object]] | Callable[[Result], object]) -> Sequence[Any]:
    """Functions, one or several. Raises ``InputError`` for what cannot be called."""
    given = [callbacks] if callable(callbacks) else list(callbacks)
    for callback in given:
        if not callable(callback):
            raise InputError("callback", callback, "must be a function of the result so far")
    return given
