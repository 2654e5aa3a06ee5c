"""A directory that survives: opened in one way, whatever it holds, and carried on from wherever it stands."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from naopt.errors import InputError, RunStoppedError
from naopt.evaluators.base import Evaluator
from naopt.evaluators.final import DATA_SETTINGS
from naopt.execution.observer import Observer
from naopt.execution.phase import Phase
from naopt.files import NotWrittenError, at_home
from naopt.final import FinalTraining
from naopt.final.names import RESULT, TRAINING
from naopt.locking import UnlockableError, locked
from naopt.one_shot.kinds import decides_for_each, shares_weights
from naopt.run.config import RunConfig
from naopt.run.names import CONFIG, LOCK
from naopt.run.phases import Elsewhere, Finalists, Measuring, MeasuringInstances, SupernetTraining
from naopt.run.record import RunRecord
from naopt.run.search_state import SearchState
from naopt.spaces import Architecture, SearchSpace
from naopt.store.store import DATABASE, RunStore


class Run(ABC):
    """A directory and its phases, in order.

    Attributes:
        directory: of the run.
        noun: what it is called.
        training: the final training in it; ``None`` if there is none.
    """

    noun = "run"
    training: FinalTraining | None

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.training = FinalTraining(directory) if _holds_training(directory) else None

    @property
    @abstractmethod
    def phases(self) -> Sequence[Phase]:
        """What the run consists of, in order."""

    @property
    @abstractmethod
    def subject(self) -> tuple[SearchSpace, Architecture]:
        """Space and architecture that the run is about. Raises ``InputError`` if it has found none."""

    @property
    @abstractmethod
    def suggested_task(self) -> str | None:
        """What the subject may be trained on, where nothing else is said."""

    @property
    def suggested_settings(self) -> Mapping[str, Any]:
        """Settings of training that say how the suggested task's data are read."""
        return {}

    @property
    @abstractmethod
    def place_of_training(self) -> Path | None:
        """Where a final training of the subject goes, where nothing else is said."""

    @property
    @abstractmethod
    def record(self) -> RunRecord:
        """The search in the directory. Raises ``InputError`` if there is none, or it is damaged."""

    @property
    def trained(self) -> FinalTraining:
        """The final training. Raises ``InputError`` if there is none, or it is not complete."""
        if self.training is None:
            rule = f"has no trained weights; train it first (naopt train {self.directory}), or give --untrained"
            raise InputError("run", str(self.directory), rule)
        if not self.training.done:
            rule = f"is not complete; go on with: naopt resume {self.directory}"
            raise InputError("training", str(self.directory), rule)
        return self.training

    @property
    def way_on(self) -> str:
        """The command that goes on with it."""
        return f"naopt resume {self.directory}"

    @property
    def begun(self) -> bool:
        """Whether there is anything to go on with."""
        return True

    @property
    def finished(self) -> bool:
        """Whether all phases are done."""
        return all(phase.done for phase in self.phases)

    def carry_out(self) -> bool:
        """Goes on until all phases are done, from wherever the run stands.

        Returns:
            Whether anything was left to be done.

        Raises:
            InputError: another process executes it, or the task, table, data or space is not as it was.
            RunStoppedError: a signal, an interrupted evaluation or a full disk stopped it; calling it again goes on.
            NaoptError: a training diverged.
            KeyboardInterrupt: a signal came while data were read, and nothing was begun.
        """
        left = False
        for phase in self.phases:
            if phase.done:  # which the one before it may have brought about: time is up
                continue
            left = True
            try:
                phase.carry_out()
            except KeyboardInterrupt:
                if not self.begun:
                    raise
                line = f"stopped {phase.reached}; go on with: {self.way_on}"
                raise RunStoppedError(line) from None
            except NotWrittenError as error:
                line = f"{self.noun} '{self.directory}': {error.line}; go on with: {self.way_on}"
                raise RunStoppedError(line) from error
        return left


class TrainingRun(Run):
    """A directory that holds a final training only."""

    noun = "training"
    training: FinalTraining

    def __init__(self, directory: Path, training: FinalTraining | None = None) -> None:
        super().__init__(directory)
        self.training = training or FinalTraining(directory)

    @property
    def phases(self) -> Sequence[Phase]:
        """See ``Run``."""
        return [self.training]

    @property
    def begun(self) -> bool:
        """See ``Run``."""
        return (self.directory / TRAINING).is_file()

    @property
    def subject(self) -> tuple[SearchSpace, Architecture]:
        """See ``Run``."""
        return self.training.request.subject()

    @property
    def suggested_task(self) -> str | None:
        """See ``Run``: none, since who trains it again wants another task, most often."""
        return None

    @property
    def place_of_training(self) -> Path | None:
        """See ``Run``: none, since the directory holds one."""
        return None

    @property
    def record(self) -> RunRecord:
        """See ``Run``."""
        raise InputError("run", str(self.directory), "holds a training, and no search")


class SearchRun(Run):
    """A directory that holds a search, and perhaps the final training of what it found.

    Args:
        directory: of the run.
        state: of the search.
    """

    def __init__(self, directory: Path, state: SearchState) -> None:
        super().__init__(directory)
        self.state = state

    @cached_property
    def phases(self) -> Sequence[Phase]:
        """See ``Run``."""
        state, training = self.state, [self.training] if self.training else []
        if state.config.elsewhere:
            return [*training, Elsewhere(state)]
        first = [SupernetTraining(state)] if shares_weights(state.config.searcher) else []
        last = [Finalists(state)] if state.config.finalists else []
        each = [MeasuringInstances(state)] if decides_for_each(state.config.searcher) else []
        return [*first, Measuring(state), *each, *last, *training]

    @property
    def subject(self) -> tuple[SearchSpace, Architecture]:
        """See ``Run``: the best by one objective, the knee of several."""
        chosen = self.record.chosen()
        if chosen is None:
            raise InputError("run", str(self.directory), self.record.why_none())
        return self.record.space, chosen.architecture

    @property
    def suggested_task(self) -> str | None:
        """See ``Run``."""
        return self.state.config.task or None

    @property
    def suggested_settings(self) -> Mapping[str, Any]:
        """See ``Run``."""
        training = self.state.config.training
        return {name: training[name] for name in DATA_SETTINGS if name in training}

    @property
    def place_of_training(self) -> Path | None:
        """See ``Run``."""
        return self.directory

    @property
    def record(self) -> RunRecord:
        """See ``Run``."""
        return self.state.record

    @property
    def way_on(self) -> str:
        """See ``Run``; a function measures in Python only."""
        return "the same call in Python" if self.state.config.function else super().way_on

    @contextmanager
    def opened(self, seconds: float = 0.0) -> Iterator[SearchState]:
        """The search with its store open to be written.

        The directory is locked before it is read, so what is read once stays true.

        Args:
            seconds: how long to wait for another process that has it open.

        Raises:
            InputError: another process has it open, its configuration was changed, or it is damaged.
            UnlockableError: the directory cannot be written to.
        """
        with locked(self.directory / LOCK, "executed", seconds), RunStore(self.directory / DATABASE) as store:
            self.state.begin(store)
            try:
                self.state.check_unchanged()
                yield self.state
            finally:
                self.state.end()

    def carry_out(self) -> bool:
        """See ``Run``."""
        with ExitStack() as stack:
            try:
                state = stack.enter_context(self.opened())
            except UnlockableError:
                self.state.check_unchanged()
                if not self.finished:
                    raise
                return False
            if self.finished:
                return False
            if not state.config.elsewhere:
                state.check_space()
            if state.open_store.meta.get("time_is_up"):
                state.open_store.note(time_is_up=0)
            return super().carry_out()


def open_run(
    directory: str | Path,
    *,
    workers: int | None = None,
    time: float | None = None,
    evaluator: Evaluator | None = None,
    observers: Sequence[Observer] = (),
) -> Run:
    """What a directory holds. Reads no more than it must: the rest is read when it is asked for, once.

    Args:
        directory: of the run.
        workers: instead of the configured number, if it is carried out.
        time: limit of the whole search in seconds, instead of the configured one.
        evaluator: of a search that was begun with one.
        observers: hear of the search, if it is carried out.

    Raises:
        InputError: the directory is missing, or is not a run's, or its configuration is damaged.
    """
    directory = Path(at_home(directory))
    if _holds_training(directory) and not (directory / CONFIG).is_file():
        return TrainingRun(directory)
    config = RunConfig.read(directory / CONFIG)
    config = config if time is None else config.model_copy(update={"time": time})
    return SearchRun(directory, SearchState(directory, config, evaluator, observers, workers))


def _holds_training(directory: Path) -> bool:
    return (directory / TRAINING).is_file() or (directory / RESULT).is_file()
