"""The phase of a search whose architectures are measured by others: in a laboratory, by the jobs of a cluster."""

from __future__ import annotations

from naopt.errors import InputError
from naopt.execution.phase import Phase
from naopt.run.search_state import SearchState


class Elsewhere(Phase):
    """Goes on when somebody asks what to measure, and tells what it gave (``naopt.by_hand``); never by itself."""

    def __init__(self, state: SearchState) -> None:
        self._state = state

    @property
    def done(self) -> bool:
        """See ``Phase``."""
        return self._state.record.measured

    @property
    def reached(self) -> str:
        """See ``Phase``."""
        record = self._state.record
        return f"after {len(record.evaluated)} of {record.config.budget} evaluations"

    def carry_out(self) -> None:
        """Raises ``InputError``: there is nothing to be done here."""
        directory = self._state.directory
        rule = f"is measured elsewhere; what is next: naopt ask {directory}; what it gave: naopt tell {directory} ..."
        raise InputError("run", str(directory), rule)
