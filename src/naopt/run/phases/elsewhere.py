"""The phase of a search whose architectures are measured by others: in a laboratory, by the jobs of a cluster."""

from __future__ import annotations

from naopt.errors import InputError
from naopt.run.phases.measuring import Measuring


class Elsewhere(Measuring):
    """Goes on when somebody asks what to measure, and tells what it gave (``naopt.by_hand``); never by itself."""

    def check(self) -> None:
        """Nothing: no engine is needed here."""

    def carry_out(self) -> None:
        """Raises ``InputError``: there is nothing to be done here."""
        directory = self._state.directory
        rule = f"is measured elsewhere; what is next: naopt ask {directory}; what it gave: naopt tell {directory} ..."
        raise InputError("run", str(directory), rule)
