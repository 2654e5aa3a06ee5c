"""``naopt.search``, ``naopt.resume`` and ``naopt.load_run``."""

from __future__ import annotations

import logging
import math
import time as clock
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from naopt.api.again import begin_or_go_on
from naopt.api.arguments import (
    Enqueued,
    Evaluate,
    Known,
    Limits,
    Space,
    Wanted,
    engine_name,
    last_metric,
    name_of,
    parse_callbacks,
    parse_columns,
    parse_config,
    parse_enqueued,
    parse_evaluator,
    parse_history,
    parse_limits,
    parse_measuring,
    parse_space,
    parse_wanted,
)
from naopt.api.observing import Callback, Callbacks, Memory, StopSearch
from naopt.api.result import Result
from naopt.configuration import Settings
from naopt.durations import seconds_of
from naopt.errors import InputError, RunStoppedError
from naopt.evaluators.base import Evaluator
from naopt.evaluators.function import RaisedError
from naopt.execution import Deadline, Observer, Start, TimeIsUpError
from naopt.execution.failures import ALIKE
from naopt.execution.whole import measure_all
from naopt.files import at_home
from naopt.logs import show_logs
from naopt.problem import Named
from naopt.run import record as records
from naopt.run.config import RunConfig
from naopt.run.finalist_time import measuring_deadline
from naopt.run.run import SearchRun, open_run
from naopt.run.setup import prepare

_log = logging.getLogger(__name__)


class SearchStoppedError(RunStoppedError):
    """A search stopped before its end.

    Attributes:
        result: what it had found.
    """

    def __init__(self, reason: str, result: Result) -> None:
        super().__init__(reason)
        self.result = result


def search(
    space: Space | None,
    evaluate: Evaluate,
    *,
    budget: int = 100,
    objective: Wanted = None,
    limits: Limits = (),
    scalarise: str = "",
    prior_columns: Sequence[str] | str = (),
    proxies: Sequence[str] | str = (),
    fidelities: Sequence[str] | str = (),
    fidelity_costs: Sequence[float] = (),
    remeasure: int = 1,
    searcher: str = "nao",
    settings: Mapping[str, Any] | Settings | None = None,
    seed: int = 0,
    workers: int = 1,
    run: str | Path | None = None,
    callbacks: Sequence[Callback] | Callback = (),
    raise_on_error: bool = False,
    as_values: bool | None = None,
    enqueue: Iterable[Enqueued] | Enqueued = (),
    history: Iterable[Known] | Known = (),
    schedule: Literal["rounds", "async"] = "rounds",
    batch: int | Literal["workers"] = 1,
    time: float | str | None = None,
    timeout: float | str | None = None,
    retries: int = 0,
    stop_after: int = 0,
    stop_alike: int = ALIKE,
    finalists: int = 0,
    finalist_preset: str = "",
) -> Result:
    """Searches for the best architecture of a space, as measured by a function.

    Args:
        space: a dictionary of choices (as for ``naopt.Space``), a space, or its name (``"nasbench201"``); ``None`` for
            that of a table or an evaluator.
        evaluate: a function of the values of an architecture as a dictionary, ``{"width": 32, "norm": True}``, in a
            generic space, and of an ``Architecture`` in all others. It gives a number, a dictionary of numbers, or a
            ``Measurement``, and gets a ``seed`` if it has such a parameter. Or a table, its file or its
            name, or an ``Evaluator``.
        budget: how many architectures are measured in all; with fidelities, in full evaluations.
        objective: the metric that is optimised: ``"accuracy"``, ``"min:loss"``, or ``"min"`` for a function that gives
            a number. By default the number, or the first of the dictionary, is called ``score`` and maximised. Several,
            ``["accuracy", "min:latency_ms"]``, are a search for the trade-offs between them.
        limits: that have to be kept: ``{"latency_ms": "<=5"}``, ``"latency_ms<=5"``, ``Limit("params", "max", 2e6)``;
            of the last two one or several.
        scalarise: how several objectives become one: ``"weights"``, ``"chebyshev"``, ``"weights=0.7,0.3"``.
        prior_columns: one or several of a table, that the searcher may look at before a query, and learns to weigh.
        proxies: zero-cost proxies of the networks that a ``TrainingEvaluator`` trains, likewise; ``"default"``.
        fidelities: columns of a table, cheapest first, the objective last; of trainings ``["epochs=2", "epochs=6"]``.
        fidelity_costs: what these cost, in any unit, the full one last; by default what their names say.
        remeasure: how often an architecture may be measured where that tells more than a new one.
        searcher: its name; ``naopt.searchers.searchers.names()`` are all of them.
        settings: of the searcher.
        seed: of all randomness.
        workers: how many evaluations at a time. A function is then called in processes (in threads if it cannot be sent
            there, which is logged), otherwise in this one.
        run: a directory for the search, which survives. The same call goes on with it, also with a larger budget.
        callbacks: functions that get the result so far after each evaluation (``result.latest`` is the newest);
            ``naopt.StopSearch`` ends the search, and any other exception is raised by it.
        raise_on_error: raise the function's first exception instead of recording a failure; it runs in this process.
        as_values: whether the function gets values or an ``Architecture``, if it is not as said above.
        enqueue: architectures, values or texts that are measured first.
        history: results, directories, tables and CSV files whose measurements the searcher is told; with a metric
            (``"SOURCE:METRIC"``), and files of ``naopt prior save``, what it learns from as from another task.
        schedule: ``"rounds"``, whose result depends on the seed alone, or ``"async"``: no worker ever waits.
        batch: enlarge smaller rounds to so many, or to as many as there are workers.
        time: what the whole search, with finalists, may take, in seconds or as text: ``"2h"``, ``"90s"``.
        timeout: what one evaluation may take, likewise; it then runs in a process of its own.
        retries: how often an evaluation that failed is done again, each time with another seed.
        stop_after: stop after so many failures in a row; 0 for never.
        stop_alike: stop after so many evaluations if every one has failed with the same reason; 0 for never.
        finalists: of a ``TrainingEvaluator``: how many of the best are trained longer to be picked from.
        finalist_preset: of final training (``"digits-final"``); by default four times the evaluator's epochs.

    Returns:
        What was found. ``finished`` is false if a callback stopped it, or, in memory, an interrupt (Ctrl-C).

    Raises:
        InputError: an argument that cannot be used, or is not as it was when a directory was begun.
        SearchStoppedError: with a directory: an interrupt, too many failures, a full disk. The same call goes on.
    """
    show_logs()
    evaluate, levels, bounds = parse_measuring(evaluate), parse_columns(fidelities), parse_limits(limits)
    wanted = parse_wanted(last_metric(evaluate, levels) if objective is None else objective)
    evaluator = parse_evaluator(
        parse_space(space), evaluate, wanted, bounds, as_values=as_values, strict=raise_on_error
    )
    config = parse_config(
        {
            "metric": ",".join(metric or evaluator.default_metric for metric, _ in wanted),
            "max": {limit.metric: limit.value for limit in bounds if limit.bound == "max"},
            "min": {limit.metric: limit.value for limit in bounds if limit.bound == "min"},
            "function": name_of(evaluate),
            "scalarise": scalarise,
            "prior_columns": parse_columns(prior_columns),
            "proxies": parse_columns(proxies),
            "fidelities": levels,
            "fidelity_costs": tuple(fidelity_costs),
            "remeasure": remeasure,
            "budget": budget,
            "searcher": searcher,
            "seed": seed,
            "workers": workers,
            "engine": engine_name(evaluate, workers, seconds_of(timeout), raising=raise_on_error),
            "enqueue": parse_enqueued(evaluator.space, enqueue),
            "history": parse_history(history),
            "search_schedule": schedule,
            "search_batch": batch,
            "time": seconds_of(time),
            "timeout": seconds_of(timeout),
            "retries": retries,
            "stop_after": stop_after,
            "stop_alike": stop_alike,
            "finalists": finalists,
            "finalist_preset": finalist_preset,
        },
        settings,
    )
    functions = parse_callbacks(callbacks)
    if run is None:
        return _in_memory(config, evaluator, functions)
    return _carried_out(begin_or_go_on(Path(at_home(run)), config, evaluator), functions)


def resume(
    run: str | Path,
    evaluate: Evaluate | None = None,
    *,
    workers: int | None = None,
    time: float | str | None = None,
    callbacks: Sequence[Callback] | Callback = (),
    raise_on_error: bool = False,
    as_values: bool | None = None,
) -> Result:
    """Goes on with a search in a directory; a finished one is left as it is.

    Args:
        run: the directory.
        evaluate: what measures, of a search that was begun by ``naopt.search``; one that was begun on the command line
            needs none.
        workers: instead of the run's own number.
        time: limit of the whole search, instead of the run's own.
        callbacks: as of ``search``.
        raise_on_error: as of ``search``.
        as_values: as of ``search``.

    Raises:
        InputError: the directory holds no search, ``evaluate`` is missing, or its name is another than it was.
        SearchStoppedError: as ``search``.
    """
    show_logs()
    directory, functions = Path(at_home(run)), parse_callbacks(callbacks)
    if workers is not None and workers < 1:
        raise InputError("workers", workers, "must be at least 1")
    found = open_run(directory, workers=workers, time=seconds_of(time))
    if not isinstance(found, SearchRun):
        raise InputError("run", str(run), f"holds a training, and no search; go on with: {found.way_on}")
    state = found.state
    began = state.config
    evaluate = None if evaluate is None else parse_measuring(evaluate)
    if evaluate is None:
        if began.function:
            raise InputError("evaluate", began.function, "measures this search: give it to resume")
        if raise_on_error:
            raise InputError("raise_on_error", "True", "has a use only with a function")
    elif name_of(evaluate) != began.function:
        measures = began.function or began.table or began.task or began.supernet
        raise InputError("evaluate", name_of(evaluate), f"run '{run}' was begun with '{measures}'")
    else:
        problem, space = found.record.problem, found.record.space
        wanted = [Named(objective.metric, objective.goal) for objective in problem.objectives]
        state.evaluator = parse_evaluator(
            space, evaluate, wanted, problem.limits, as_values=as_values, strict=raise_on_error
        )
        engine = engine_name(evaluate, state.wanted_workers, began.timeout, raising=raise_on_error)
        state.config = began.model_copy(update={"engine": engine})
    return _carried_out(found, functions)


def load_run(run: str | Path) -> Result:
    """What a search in a directory has found; it may still be going on. Raises ``InputError`` if there is none."""
    return Result(records.load_run(run), Path(at_home(run)))


def _carried_out(run: SearchRun, functions: Sequence[Callback]) -> Result:
    state, raised = run.state, None
    if functions and not run.finished:
        memory = Memory(state.setup, run.record.trials, run.directory)
        state.observers = [memory, Callbacks(functions, Result(memory.record, run.directory))]
    try:
        with suppress(StopSearch):
            run.carry_out()
    except RaisedError as error:
        raised = error.error
    except RunStoppedError as error:
        raise SearchStoppedError(str(error), Result(run.record, run.directory)) from error.__cause__
    if raised is not None:
        raise raised
    return Result(run.record, run.directory)


def _in_memory(config: RunConfig, evaluator: Evaluator, functions: Sequence[Callback]) -> Result:
    setup = prepare(config, None, evaluator)
    evaluator.check()
    memory, raised, began = Memory(setup), None, clock.monotonic()
    result = Result(memory.record)
    deadline = Deadline(config.time or math.inf)
    until, hear = measuring_deadline(setup, (), config.workers, deadline)
    observers: list[Observer] = [memory, *hear, *([Callbacks(functions, result)] if functions else [])]
    start = Start((), [(known.architecture, known.measurement) for known in setup.history()], setup.enqueued())
    try:
        with suppress(StopSearch):
            with setup.engine(setup.config.workers) as engine, memory.until_finalists(deadline):
                measure_all(setup.searcher(), engine, setup.manner(), start, observers, until)
            if setup.config.finalists:
                memory.train_finalists(evaluator, deadline)
    except TimeIsUpError:
        memory.meta["time_is_up"] = setup.config.time
    except KeyboardInterrupt:
        _log.warning("interrupted after %d of %d evaluations; what was found is returned", *result.progress)
    except RaisedError as error:
        raised = error.error
    except RunStoppedError as error:
        raise SearchStoppedError(str(error), result) from error.__cause__
    finally:
        memory.meta["seconds"] = clock.monotonic() - began
    if raised is not None:
        raise raised
    return result
