"""The phase that finds out what a network does that decides for each image: its operating points, its decisions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from naopt.evaluators.training import select_device
from naopt.execution.deadline import TimeIsUpError
from naopt.execution.interrupt import stop_on_signal
from naopt.execution.phase import Phase
from naopt.one_shot.evaluator import SharedWeightsEvaluator
from naopt.run.instance import assembled
from naopt.run.instances import write_instances
from naopt.run.search_state import SearchState

if TYPE_CHECKING:
    from naopt.run.instances import Instances


class MeasuringInstances(Phase):
    """Measures the network on the validation images, in one go."""

    def __init__(self, state: SearchState) -> None:
        self._state = state

    @property
    def done(self) -> bool:
        """See ``Phase``."""
        record = self._state.record
        return record.instances_measured or record.time_is_up

    @property
    def reached(self) -> str:
        """See ``Phase``."""
        return "before the operating points of the network were measured"

    def carry_out(self) -> None:
        """See ``Phase``."""
        state = self._state
        try:
            with stop_on_signal():
                write_instances(state.directory, self._measured())
        except TimeIsUpError:
            state.note_time_is_up()
        state.open_store.note(seconds=state.seconds)

    def _measured(self) -> Instances:
        from naopt.run.instance_measuring import measure_instances
        from naopt.training.reproducible import reproducible

        config, evaluator, deadline = self._state.config, self._state.setup.evaluator, self._state.deadline
        assert isinstance(evaluator, SharedWeightsEvaluator)
        columns = (TextColumn("operating points"), BarColumn(), MofNCompleteColumn(), TextColumn("passes"))
        console = Console(stderr=True)
        with (
            reproducible(config.seed, select_device(config.device), config.threads),
            Progress(*columns, console=console, disable=not console.is_terminal) as bar,
        ):
            task = bar.add_task("")

            def stepped(done: int, total: int) -> None:
                bar.update(task, completed=done, total=total)
                deadline.check()

            return measure_instances(assembled(evaluator, config), stepped)
