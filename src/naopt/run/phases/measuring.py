"""The phase that measures: the searcher is asked, its architectures are measured, and what was found is stored."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from naopt.execution import (
    Engine,
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
from naopt.searchers import Searcher

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
        self._engine = self._make_engine()

    def _make_engine(self) -> Engine:
        state, config = self._state, self._state.setup.config
        return create_engine(config.engine, state.setup.evaluator, state.wanted_workers, config.timeout or None)

    def carry_out(self) -> None:
        """See ``Phase``."""
        state, setup = self._state, self._state.setup
        config, store, searcher = setup.config, state.open_store, setup.searcher()
        past = store.trials(setup.space)
        done = [trial for trial in past if trial.measurement is not None]
        start = Start(past, store.prior(setup.space), [setup.space.parse(text) for text in config.enqueue])
        engine = self._engine or self._make_engine()
        with stop_on_signal(), engine, ProgressBar(config.budget, done, setup.objective) as bar:
            observer = Observers(Recorder(state), bar, *state.observers)
            try:
                if config.schedule == "async":
                    run_async(searcher, engine, config.budget, observer=observer, start=start, deadline=state.deadline)
                else:
                    self._warn_of_idle_workers(searcher)
                    run_search(
                        searcher,
                        engine,
                        config.budget,
                        observer=observer,
                        start=start,
                        batch=int(config.batch),
                        deadline=state.deadline,
                    )
            except TimeIsUpError:
                store.note(time_is_up=True, seconds=state.seconds)

    def _warn_of_idle_workers(self, searcher: Searcher) -> None:
        workers, config = self._state.wanted_workers, self._state.setup.config
        used = max(getattr(searcher, "round_size", workers), int(config.batch))
        if used < workers and not self._state.setup.evaluator.inline:
            _log.warning(
                "%s proposes %d at a time, so %d of %d workers will have nothing to do most of the time; "
                "--schedule async or --batch workers keeps them at work",
                *(config.searcher, used, workers - used, workers),
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
