"""A search in a directory that is asked and told, by whoever measures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from naopt.by_hand.elsewhere import MeasuredElsewhere
from naopt.by_hand.results import Result, check_metric
from naopt.errors import InputError, RunStoppedError
from naopt.execution import Start, Trial
from naopt.execution.conversation import Conversation
from naopt.execution.interrupt import stop_on_signal
from naopt.execution.loop import told_in_order
from naopt.files import at_home
from naopt.measurement import Measurement
from naopt.problem import Objective, Problem
from naopt.run import RunConfig, RunRecord, open_run
from naopt.run.phases.measuring import Recorder
from naopt.run.run import SearchRun
from naopt.run.search_state import SearchState
from naopt.run.start import new_run
from naopt.spaces import Architecture, SearchSpace

WAIT = 60.0
"""Seconds that one waits for others that ask or tell."""


def begin_search(
    directory: str | Path, space: SearchSpace, problem: Problem | Objective, config: RunConfig
) -> OpenSearch:
    """Makes the directory of a search whose architectures are measured elsewhere.

    Args:
        directory: where; must not exist, or be empty.
        space: where to search. It is kept with the search: neither its file nor its code is needed again.
        problem: what is wanted; one objective alone is a problem.
        config: searcher, its settings, budget, seed, ``enqueue`` and ``history``.

    Raises:
        InputError: a configuration that cannot be used, or a directory that is not empty; nothing was written.
    """
    problem = Problem.of(problem)
    for name in problem.metrics:
        check_metric(name)
    bounds: dict[str, dict[str, float]] = {"max": {}, "min": {}}
    for limit in problem.limits:
        bounds[limit.bound][limit.metric] = limit.value
    metric = ",".join(objective.metric for objective in problem.objectives)
    config = config.model_copy(update={"elsewhere": True, "metric": metric, **bounds})
    new_run(directory, config, evaluator=MeasuredElsewhere(space, problem))
    return OpenSearch(directory)


class OpenSearch:
    """A search whose architectures are measured elsewhere.

    It has no state but what is stored: every call opens the directory, does one thing, stores it and leaves, so that
    calls may come from different processes, in any order. A searcher is told all results in the order in which they
    were told here, and knows what is pending.

    Args:
        directory: of the search.

    Raises:
        InputError: it is no run's, or one that naopt measures itself.
    """

    def __init__(self, directory: str | Path) -> None:
        self.directory = Path(at_home(directory))
        self._run()

    @property
    def record(self) -> RunRecord:
        """The search as it stands."""
        return self._run().record

    @property
    def pending(self) -> list[Trial]:
        """What was asked and is not told yet."""
        return [trial for trial in self.record.trials if trial.measurement is None]

    def ask(self, count: int = 1) -> list[Trial]:
        """Architectures to be measured, which are stored as pending.

        Fewer than ``count``, or none, where the budget is spent, the searcher finds nothing new, or it wants to be told
        about what is pending first.

        Raises:
            InputError: a count below 1, or a directory that cannot be used.
            RunStoppedError: a signal came first, or the disk is full; what was stored until then is pending.
        """
        if count < 1:
            raise InputError("count", count, "must be at least 1")
        with self._opened() as state, _stoppable(self.directory):
            store, setup = state.open_store, state.setup
            enqueued = [setup.space.parse(text) for text in setup.config.enqueue]
            start = Start(store.trials(setup.space), store.prior(setup.space), enqueued)
            recorder = Recorder(state)
            talk = Conversation(setup.searcher(), setup.config.budget, recorder, start)
            talk.tell(told_in_order(talk.trials))
            asked: list[Trial] = []
            while (wanted := min(count - len(asked), talk.left)) > 0:
                pending = [trial.architecture for trial in talk.trials if trial.measurement is None]
                new = talk.ask(wanted, pending)
                asked += new
                if not new:
                    if not pending:
                        recorder.exhausted()
                    break
            store.note()  # what was asked is on the disk before anybody begins to measure it
            return asked

    def tell(
        self, which: int | str | Architecture, found: float | Mapping[str, float] | Measurement, seconds: float = 0.0
    ) -> Trial:
        """Stores what an evaluation gave.

        Args:
            which: the index of a trial, an architecture or its text. One that was never asked becomes a trial as well.
            found: the value of the metric, several metrics by name, or a measurement, of a failure say.
            seconds: how long it took, where ``found`` is no measurement.

        Raises:
            InputError: no such trial or architecture, no value of the metric, or another result than was told before.
        """
        space, metric = self.record.space, self.record.objective.metric
        if isinstance(which, Architecture):
            which = space.format(which)
        if not isinstance(found, Measurement):
            try:
                found = (
                    {name: float(v) for name, v in found.items()}
                    if isinstance(found, Mapping)
                    else {metric: float(found)}
                )
                found = Measurement(found, float(seconds))
            except (TypeError, ValueError) as error:
                raise InputError("result", found, str(error)) from error
        return self.tell_all([Result(which, found)])[0][0]

    def tell_all(self, results: Sequence[Result]) -> list[tuple[Trial, bool]]:
        """Stores many results: all of them, or none where one of them breaks a rule.

        Returns:
            Of each its trial, and whether it is new; it is not where the same was told before.

        Raises:
            InputError: as ``tell``.
            RunStoppedError: the disk is full; the first of them may be stored.
        """
        with self._opened() as state:
            planned = _Plan(state.record)
            told = [planned.add(result) for result in results]
            recorder = Recorder(state)
            for trial, new in told:
                if new and trial.index >= len(planned.known):
                    recorder.proposed([replace(trial, measurement=None, place=None)], {})
                if new:
                    recorder.measured(trial)
            return told

    def _run(self) -> SearchRun:
        run = open_run(self.directory)
        if not isinstance(run, SearchRun) or not run.state.config.elsewhere:
            rule = f"is nothing that is measured elsewhere; go on with: naopt resume {self.directory}"
            raise InputError("run", str(self.directory), rule)
        return run

    @contextmanager
    def _opened(self) -> Iterator[SearchState]:
        with self._run().opened(WAIT) as state:
            record = state.record
            state.evaluator = MeasuredElsewhere(record.space, record.problem)
            yield state


class _Plan:
    """What trials there will be when results are stored.

    Attributes:
        known: trials that there are.
    """

    def __init__(self, record: RunRecord) -> None:
        self._space, self._metrics = record.space, record.problem.metrics
        self.known = record.trials
        self._trials = list(record.trials)
        self._indices = {trial.architecture: trial.index for trial in self._trials}
        self._place = 1 + max((t.place for t in self._trials if t.place is not None), default=-1)

    def add(self, result: Result) -> tuple[Trial, bool]:
        """The trial of a result, and whether the result is new."""
        try:
            return self._add(result.which, result.measurement)
        except InputError as error:
            if not result.where:
                raise
            raise InputError("row", result.where, str(error)) from error

    def _add(self, which: int | str, found: Measurement) -> tuple[Trial, bool]:
        lacking = [name for name in self._metrics if name not in found.metrics] if found.ok else []
        if lacking:
            raise InputError("result", _shown(found), f"has no {lacking[0]}, which this search is about")
        trial = self._trial(which)
        before = trial.measurement
        if before is not None:
            if _same(before, found):
                return trial, False
            rule = f"was told before, as {_shown(before)}; that stays"
            raise InputError(f"evaluation {trial.index}", _shown(found), rule)
        trial = replace(trial, measurement=found, place=self._place)
        self._trials[trial.index] = trial
        self._place += 1
        return trial, True

    def _trial(self, which: int | str) -> Trial:
        if isinstance(which, int):
            if which >= len(self._trials):
                known = f"the last index is {len(self._trials) - 1}" if self._trials else "nothing was"
                raise InputError("index", which, f"was not asked; {known}")
            return self._trials[which]
        architecture = self._space.parse(which)
        index = self._indices.setdefault(architecture, len(self._trials))
        if index == len(self._trials):
            round_ = self._trials[-1].round + 1 if self._trials else 0
            text = self._space.format(architecture)
            self._trials.append(Trial(index, round_, architecture, text, "told"))
        return self._trials[index]


def _same(before: Measurement, found: Measurement) -> bool:
    """Whether what is told again is no news."""
    return (before.status, before.reason) == (found.status, found.reason) and (
        found.metrics.items() <= before.metrics.items()
    )


def _shown(found: Measurement) -> str:
    values = ", ".join(f"{name}={value!r}" for name, value in found.metrics.items())
    return values if found.ok else f"{found.status}: {found.reason}"


@contextmanager
def _stoppable(directory: Path) -> Iterator[None]:
    try:
        with stop_on_signal():
            yield
    except KeyboardInterrupt:
        raise RunStoppedError(
            f"run '{directory}': stopped while asking; what was asked: naopt ask {directory} --pending"
        ) from None
