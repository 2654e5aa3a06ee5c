"""The search loop in rounds: ask, measure, tell. Runs and benchmarks share it.

The archive depends on the searcher, its seed and the measurements alone: a searcher is told about a round once all of
it is measured, in the order of the proposals, so neither the number of workers nor who finishes first matters, and a
search that was cut off is continued by telling a fresh searcher what was measured.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from itertools import groupby

from naopt.errors import RunStoppedError
from naopt.execution.conversation import Conversation, SearcherError, Start
from naopt.execution.deadline import NEVER, Deadline
from naopt.execution.engine import Engine
from naopt.execution.jobs import Job, evaluation_seed
from naopt.execution.observer import Observer
from naopt.execution.trial import Trial
from naopt.measurement import Measurement
from naopt.searchers.base import Proposal, Searcher
from naopt.spaces import Architecture

__all__ = ["SearcherError", "run_search", "search"]


def run_search(
    searcher: Searcher,
    engine: Engine,
    budget: int,
    *,
    observer: Observer,
    start: Start | None = None,
    batch: int = 1,
    deadline: Deadline = NEVER,
) -> list[Trial]:
    """Searches until ``budget`` architectures are measured or the searcher finds no new one.

    Args:
        searcher: fresh; its seed is the search's.
        engine: measures.
        budget: how many measurements, those of an earlier part included.
        observer: is told about every proposal and result as they come.
        start: where the search begins; by default with nothing.
        batch: a round that the searcher wants smaller than this is enlarged, so that as many workers have work.
        deadline: when it passes, the search stops, whatever is being measured.

    Returns:
        All trials, in order, each with its measurement.

    Raises:
        SearcherError: the searcher proposed something invalid, twice, or too much.
        RunStoppedError: an evaluation was interrupted.
        TimeIsUpError: the deadline passed.
    """
    talk = Conversation(searcher, budget, observer, start or Start())
    for _, group in groupby(list(talk.trials), key=lambda trial: trial.round):
        _complete_round(talk, engine, list(group), deadline)
    while talk.left > 0:
        deadline.check()
        trials = talk.ask(talk.left, at_least=batch)
        if not trials:
            observer.exhausted()
            break
        _complete_round(talk, engine, trials, deadline)
    return talk.trials


def _complete_round(talk: Conversation, engine: Engine, trials: list[Trial], deadline: Deadline) -> None:
    """Measures what is not measured yet, then tells the searcher about the whole round, in order."""
    waiting = {trial.index for trial in trials if trial.measurement is None}
    for index in sorted(waiting):
        engine.submit(job_of(talk, index))
    interrupted = ""
    while waiting:
        job, measurement = deadline.wait(engine)
        waiting.remove(job.index)
        if measurement.status == "interrupted":
            interrupted = f"evaluation {job.index} was interrupted: {measurement.reason}"
        else:
            talk.measured(job.index, measurement)
    if interrupted:
        raise RunStoppedError(interrupted)
    talk.tell([talk.trials[trial.index] for trial in trials])


def job_of(talk: Conversation, index: int) -> Job:
    """The evaluation of a trial."""
    trial = talk.trials[index]
    seed = evaluation_seed(talk.searcher.seed, trial.architecture, trial.repeat)
    return Job(index, trial.architecture, seed, level=trial.level, repeat=trial.repeat)


def search(
    searcher: Searcher, evaluate: Callable[[Architecture], Measurement], budget: int
) -> list[tuple[Proposal, Measurement]]:
    """The same search in memory, in this process; an exception of ``evaluate`` passes through.

    Returns:
        Proposals and their measurements, in order.

    Raises:
        SearcherError: as ``run_search``.
    """
    trials = run_search(searcher, _Direct(evaluate), budget, observer=Observer())
    return [
        (Proposal(trial.architecture, trial.origin, trial.predicted, trial.parent), trial.measurement)
        for trial in trials
        if trial.measurement is not None
    ]


class _Direct(Engine):
    workers = 1

    def __init__(self, evaluate: Callable[[Architecture], Measurement]) -> None:
        self._evaluate, self._waiting = evaluate, deque[Job]()

    def submit(self, job: Job) -> None:
        self._waiting.append(job)

    def next_done(self, seconds: float | None = None) -> tuple[Job, Measurement]:  # noqa: ARG002
        job = self._waiting.popleft()
        return job, self._evaluate(job.architecture)

    def close(self) -> None:
        self._waiting.clear()


def told_in_order(trials: Sequence[Trial]) -> list[Trial]:
    """Measured trials in the order of their results."""
    return sorted((t for t in trials if t.measurement is not None), key=lambda t: (t.place is None, t.place, t.index))
