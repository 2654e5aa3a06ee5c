"""The last phase of a search with finalists: its best are trained longer, and the best of them is best."""

from __future__ import annotations

from naopt.execution.interrupt import stop_on_signal
from naopt.execution.phase import Phase
from naopt.run.finalist_training import about_finalists, train_finalists
from naopt.run.search_state import SearchState


class Finalists(Phase):
    """Trains the finalists that were not trained yet, with a seed each."""

    def __init__(self, state: SearchState) -> None:
        self._state = state

    @property
    def done(self) -> bool:
        """See ``Phase``."""
        return self._state.record.finished

    @property
    def reached(self) -> str:
        """See ``Phase``."""
        record = self._state.record
        return f"after {len(record.finalists)} of {len(record.wanted_finalists)} finalists"

    def carry_out(self) -> None:
        """See ``Phase``."""
        state, store, evaluator = self._state, self._state.open_store, self._state.setup.evaluator
        store.note(**about_finalists(evaluator, state.record))
        deadline = state.deadline
        with stop_on_signal():
            for index, found in train_finalists(evaluator, state.record, state.wanted_workers):
                store.record_finalist(index, found, seconds=state.seconds)
                if deadline.left <= 0:
                    state.note_time_is_up()
                    break
