"""The phase that measures: the searcher is asked, its architectures are measured, and what was found is stored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from naopt.execution import Engine, Observer, Start, TimeIsUpError, Trial
from naopt.execution.interrupt import stop_on_signal
from naopt.execution.phase import Phase
from naopt.execution.whole import measure_all
from naopt.run.finalist_time import measuring_deadline
from naopt.run.search_state import SearchState


class Measuring(Phase):
    """Measures until the budget is spent, the searcher finds nothing new, or only the finalists' time is left."""

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
        done = len(record.evaluated) if record.problem.fidelity is None else round(record.spent, 1)
        return f"after {done} of {record.config.budget} evaluations"

    def check(self) -> None:
        """See ``Phase``."""
        self._state.setup.evaluator.check()
        self._engine = self._state.setup.engine(self._state.wanted_workers)

    def carry_out(self) -> None:
        """See ``Phase``."""
        state, setup = self._state, self._state.setup
        store = state.open_store
        start = Start(store.trials(setup.space), store.prior(setup.space), setup.enqueued())
        engine = self._engine or setup.engine(state.wanted_workers)
        deadline, hear = measuring_deadline(setup, start.past, state.wanted_workers, state.deadline)
        observers = [Recorder(state), *hear, *state.observers]
        with stop_on_signal(), engine:
            try:
                measure_all(setup.searcher(), engine, setup.manner(), start, observers, deadline)
            except TimeIsUpError:
                state.note_measured()


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
