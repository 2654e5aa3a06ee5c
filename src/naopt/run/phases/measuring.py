"""The phase that measures: the searcher is asked, its architectures are measured, and what was found is stored."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from naopt.execution import (
    Deadline,
    Engine,
    Estimate,
    FailureGuard,
    FailurePolicy,
    LogObserver,
    Observer,
    Observers,
    Start,
    TimeIsUpError,
    Trial,
    create_engine,
    run_async,
    run_search,
)
from naopt.execution.interrupt import stop_on_signal
from naopt.execution.phase import Phase
from naopt.execution.progress import ProgressBar
from naopt.run.search_state import SearchState
from naopt.run.setup import Setup
from naopt.spaces import Architecture

_log = logging.getLogger(__name__)


class Measuring(Phase):
    """Measures until the budget is spent, the searcher finds nothing new, or time is up."""

    def __init__(self, state: SearchState) -> None:
        self._state = state
        self._engine: Engine | None = None

    @property
    def done(self) -> bool:
        """See ``Phase``."""
        return self._state.record.measured

    @property
    def reached(self) -> str:
        """See ``Phase``."""
        record = self._state.record
        return f"after {len(record.evaluated)} of {record.config.budget} evaluations"

    def check(self) -> None:
        """See ``Phase``."""
        self._state.setup.evaluator.check()
        self._engine = engine_of(self._state.setup, self._state.wanted_workers)

    def carry_out(self) -> None:
        """See ``Phase``."""
        state, setup = self._state, self._state.setup
        store = state.open_store
        start = Start(store.trials(setup.space), store.prior(setup.space), enqueued(setup))
        engine = self._engine or engine_of(setup, state.wanted_workers)
        with stop_on_signal(), engine:
            try:
                measure_all(setup, engine, start, [Recorder(state), *state.observers], state.deadline)
            except TimeIsUpError:
                store.note(time_is_up=True, seconds=state.seconds)


def engine_of(setup: Setup, workers: int) -> Engine:
    """The engine of a search, with its failure policy."""
    config = setup.config
    return create_engine(
        config.engine,
        setup.evaluator,
        workers,
        config.timeout or None,
        workers_per_device=config.workers_per_device,
        failures=FailurePolicy(config.retries, config.smaller_batch, config.stop_after),
    )


def enqueued(setup: Setup) -> list[Architecture]:
    """What a search measures first."""
    return [setup.space.parse(text) for text in setup.config.enqueue]


def measure_all(setup: Setup, engine: Engine, start: Start, observers: Sequence[Observer], deadline: Deadline) -> None:
    """A whole search, wherever its results go.

    Args:
        setup: its parts.
        engine: measures.
        start: where it begins.
        observers: hear of it, in this order; the one that keeps results is the first.
        deadline: when it has to end.

    Raises:
        TimeIsUpError: the deadline passed.
        RunStoppedError: an evaluation was interrupted, or too many in a row failed.
        SearcherError: the searcher broke its contract.
    """
    config, searcher = setup.config, setup.searcher()
    done = [trial for trial in start.past if trial.measurement is not None]
    used = max(searcher.round_size, int(config.search_batch))
    if config.search_schedule == "rounds" and used < engine.workers:
        _log.warning(
            "%s proposes %d at a time, so %d of %d workers will have nothing to do most of the time; "
            "--schedule async or --batch workers keeps them at work",
            *(config.searcher, used, engine.workers - used, engine.workers),
        )
    with ProgressBar(config.budget, done, setup.objective) as bar:
        first, *others = observers
        logs: list[Observer] = [bar, LogObserver()]
        if not setup.evaluator.inline:
            logs.append(Estimate(engine.workers, config.budget, len(done)))
        observer = Observers(first, *logs, *others, FailureGuard(config.stop_after))
        if config.search_schedule == "async":
            run_async(searcher, engine, config.budget, observer=observer, start=start, deadline=deadline)
        else:
            run_search(
                searcher,
                engine,
                config.budget,
                observer=observer,
                start=start,
                batch=int(config.search_batch),
                deadline=deadline,
            )


class Recorder(Observer):
    """Stores what happens, before anybody else hears of it."""

    def __init__(self, state: SearchState) -> None:
        self._state, self._store = state, state.open_store

    def proposed(self, trials: Sequence[Trial], log: dict[str, Any]) -> None:
        """See ``Observer``."""
        self._store.propose(trials, log)

    def measured(self, trial: Trial) -> None:
        """See ``Observer``."""
        self._store.record(trial, seconds=self._state.seconds)

    def exhausted(self) -> None:
        """See ``Observer``."""
        self._store.note(exhausted=True, seconds=self._state.seconds)
