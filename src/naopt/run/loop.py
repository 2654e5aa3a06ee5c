"""The search loop: ask, measure, tell. Runs and benchmarks share it.

The archive depends on the searcher, its seed and the measurements alone: a searcher is told about a round once all of
it is measured, in the order of the proposals, so neither the number of workers nor who finishes first matters, and a
search that was cut off is continued by telling a fresh searcher what was measured.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any, Protocol

import numpy as np

from naopt.errors import NaoptError, RunStoppedError
from naopt.measurement import Measurement
from naopt.run.trial import Trial
from naopt.searchers.base import Proposal, Searcher
from naopt.spaces import Architecture, SearchSpace


class SearcherError(NaoptError):
    """A searcher broke its contract: a bug in the searcher, not in the input."""


@dataclass(frozen=True, slots=True)
class Job:
    """An evaluation to be done: the trial's index, what to measure, and the seed of all its randomness."""

    index: int
    architecture: Architecture
    seed: int


class Executor(Protocol):
    """Where evaluations happen."""

    def evaluate(self, jobs: Sequence[Job]) -> Iterator[tuple[int, Measurement]]:
        """Measures every job; yields ``(index, measurement)`` in the order in which they end."""


class Observer:
    """What wants to know how a search goes: a store, a progress bar. By default it takes no note."""

    def asking(self, round_index: int) -> None:
        """The searcher is about to be asked; that may take a while."""

    def proposed(self, trials: Sequence[Trial], log: dict[str, Any]) -> None:
        """A round was proposed; ``log`` is what the searcher says about it."""

    def measured(self, trial: Trial) -> None:
        """A trial was measured."""

    def exhausted(self) -> None:
        """The searcher finds nothing new: the search ends before its budget."""


def evaluation_seed(seed: int, architecture: Architecture) -> int:
    """The seed of one evaluation, in 0..2^32-1: spawned from the run's seed by the architecture's identity.

    numpy's ``SeedSequence`` is a hash that numpy promises to keep, so the value is the same everywhere.
    """
    return int(np.random.SeedSequence(seed, spawn_key=architecture.identity).generate_state(1)[0])


def run_search(
    searcher: Searcher, executor: Executor, budget: int, *, observer: Observer, past: Iterable[Trial] = ()
) -> list[Trial]:
    """Searches until ``budget`` architectures are measured or the searcher finds no new one.

    Args:
        searcher: fresh; its seed is the search's.
        executor: measures.
        budget: how many measurements, the ``past`` ones included.
        observer: is told about every proposal and result as they come.
        past: trials of an earlier part of this search, in order; what is not yet measured is measured first.

    Returns:
        All trials, in order, each with its measurement.

    Raises:
        SearcherError: the searcher proposed something invalid, twice, or too much.
        RunStoppedError: an evaluation was interrupted.
    """
    trials: list[Trial] = []
    for _, group in groupby(past, key=lambda trial: trial.round):
        trials += _complete_round(searcher, executor, list(group), observer)
    round_index = trials[-1].round + 1 if trials else 0
    while len(trials) < budget:
        observer.asking(round_index)
        proposals = searcher.ask(budget - len(trials))
        if not proposals:
            observer.exhausted()
            break
        _check(searcher, proposals, trials, budget)
        proposed = [
            _trial(searcher.space, proposal, index, round_index)
            for index, proposal in enumerate(proposals, start=len(trials))
        ]
        observer.proposed(proposed, searcher.round_log())
        trials += _complete_round(searcher, executor, proposed, observer)
        round_index += 1
    return trials


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


class _Direct:
    def __init__(self, evaluate: Callable[[Architecture], Measurement]) -> None:
        self._evaluate = evaluate

    def evaluate(self, jobs: Sequence[Job]) -> Iterator[tuple[int, Measurement]]:
        for job in jobs:
            yield job.index, self._evaluate(job.architecture)


def _trial(space: SearchSpace, proposal: Proposal, index: int, round_index: int) -> Trial:
    predicted = None if proposal.predicted is None else float(proposal.predicted)
    text = space.format(proposal.architecture)
    return Trial(index, round_index, proposal.architecture, text, proposal.origin, proposal.parent, predicted)


def _check(searcher: Searcher, proposals: Sequence[Proposal], trials: Sequence[Trial], budget: int) -> None:
    name = type(searcher).__name__
    if len(proposals) > budget - len(trials):
        raise SearcherError(f"{name} was asked for {budget - len(trials)} architectures and proposed {len(proposals)}")
    seen = {trial.architecture for trial in trials}
    for proposal in proposals:
        architecture = proposal.architecture
        shown = " ".join(map(str, architecture.tokens))
        if architecture.space != searcher.space.name:
            raise SearcherError(f"{name} proposed an architecture of {architecture.space}, not {searcher.space.name}")
        reason = searcher.space.explain_invalid(architecture.tokens)
        if reason is not None:
            raise SearcherError(f"{name} proposed an invalid architecture ({shown}): {reason}")
        if architecture in seen:
            raise SearcherError(f"{name} proposed an architecture twice ({shown})")
        seen.add(architecture)


def _complete_round(searcher: Searcher, executor: Executor, trials: list[Trial], observer: Observer) -> list[Trial]:
    """Measures what is not measured yet, then tells the searcher about the whole round, in order."""
    done = {trial.index: trial for trial in trials if trial.measurement is not None}
    pending = {trial.index: trial for trial in trials if trial.measurement is None}
    jobs = [Job(t.index, t.architecture, evaluation_seed(searcher.seed, t.architecture)) for t in pending.values()]
    interrupted = ""
    for index, measurement in executor.evaluate(jobs) if jobs else ():
        if measurement.status == "interrupted":
            interrupted = f"evaluation {index} was interrupted: {measurement.reason}"
            continue
        metrics = {name: float(value) for name, value in measurement.metrics.items()}
        measurement = replace(measurement, metrics=metrics, seconds=float(measurement.seconds))
        done[index] = replace(pending[index], measurement=measurement)
        observer.measured(done[index])
    if interrupted:
        raise RunStoppedError(interrupted)
    complete = [done[trial.index] for trial in trials]
    for trial in complete:
        if trial.measurement is not None:
            searcher.tell(trial.architecture, _visible(trial.measurement, searcher.objective.metric))
    return complete


def _visible(measurement: Measurement, metric: str) -> Measurement:
    """What the searcher may see: the metric it searches by. A table's test metrics are for the record only."""
    if metric in measurement.metrics or not measurement.ok:
        return replace(measurement, metrics={m: v for m, v in measurement.metrics.items() if m == metric})
    return Measurement({}, measurement.seconds, "failed", f"metric '{metric}' was not measured")
