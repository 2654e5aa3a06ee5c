"""The searches of a comparison: one of them, and all in processes."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import replace
from itertools import accumulate
from typing import Any

import numpy as np

from naopt.bench.comparison import Comparison
from naopt.bench.crews import ALONE, Crew
from naopt.bench.settings import searcher_name
from naopt.bench.simulated_engine import SimulatedEngine
from naopt.bench.trials import OriginCount, SearchTrial, Timing
from naopt.bench.workers import run_jobs
from naopt.errors import InputError
from naopt.execution.jobs import Job
from naopt.execution.observer import Observer
from naopt.execution.trial import Trial
from naopt.measurement import Measurement
from naopt.problem import Problem
from naopt.run.order import best_first, leaders, together
from naopt.searchers import make_searcher, searchers
from naopt.spaces import SearchSpace

_PICKED_EVERY = 5

_ROUNDED = 1e-9
"""What a sum of parts of a query may be above a whole number."""


def compare(
    comparison: Comparison,
    workers: int = 1,
    done: Iterable[SearchTrial] = (),
    on_trial: Callable[[SearchTrial], None] = lambda _: None,
) -> list[SearchTrial]:
    """Runs every trial of every searcher, in processes that do many.

    Args:
        comparison: what to run.
        workers: processes at a time; changes nothing but the time.
        done: trials of an earlier call with the same comparison, which are not run again; others are passed over.
        on_trial: is called with every trial that ends.

    Returns:
        All trials, by searcher (in the order of the settings), crew and number.

    Raises:
        JobError: a trial raised; the others are stopped. ``on_trial`` has been called with all that had ended.
        InputError: fewer than 1 worker, or a searcher that refuses the table.
    """
    if workers < 1:
        raise InputError("workers", workers, "must be at least 1")
    found = {(trial.searcher, trial.trial, trial.crew): trial for trial in done}
    jobs = {_label(*key): key for key in comparison.searches if key not in found}
    kinds = [searchers.get(searcher_name(name)) for name in comparison.settings]
    with closing(run_jobs(run_trial, jobs, workers, (comparison,), kinds)) as results:
        for _, result in results:
            found[result.searcher, result.trial, result.crew] = result
            on_trial(result)
    return [
        found[name, trial, crew]
        for name in comparison.settings
        for crew in comparison.crews
        for trial in range(comparison.trials)
    ]


def _label(name: str, trial: int, crew: Crew) -> str:
    workers = "" if crew == ALONE else f", {crew.workers} workers, {crew.schedule}"
    return f"searcher {name}, trial {trial}{workers}"


def run_trial(comparison: Comparison, name: str, trial: int, crew: Crew = ALONE) -> SearchTrial:
    """One search, in this process. An ordinary one has one worker, and the time that passes is that of its queries."""
    evaluator, seed = comparison.evaluator, comparison.trial_seed(trial)
    problem = replace(comparison.problem, costs=evaluator.costs(), priors=comparison.priors)
    looking_up = 0.0

    def evaluate(job: Job) -> Measurement:
        nonlocal looking_up
        begun = time.perf_counter()
        found = evaluator.at(job.level).evaluate(job.architecture, job.seed)
        looking_up += time.perf_counter() - begun
        return found

    engine = SimulatedEngine(evaluate, crew.workers, comparison.durations.clock(comparison.table, seed))
    started = time.perf_counter()
    kind = searchers.get(searcher_name(name))
    searcher = make_searcher(
        kind, evaluator.space, problem, comparison.settings[name],
        seed=seed, budget=comparison.budget, scalarisation=None if kind.several else comparison.scalarisation,
    )  # fmt: skip
    passed_over = _PassedOver()
    found = sorted(crew.search(searcher, engine, comparison.budget, passed_over), key=lambda one: one.place or 0)
    seconds = time.perf_counter() - started
    ends = [engine.spans[trial.index][1] for trial in found]
    rows = [comparison.table.row(trial.architecture) for trial in found]
    at = [math.ceil(cost - _ROUNDED) for cost in accumulate(trial.cost for trial in found)]
    selected, origins = _selections(comparison, rows, found, at)
    if problem.ordinary and comparison.pick == "expected":
        selected = _expected(evaluator.space, problem, rows, found, at) or selected
    hit = None if comparison.several else _queries_to_optimum(comparison, rows, found, at)
    noted = SearchTrial(
        searcher=name,
        trial=trial,
        search_metric=[],
        report_metric=[],
        queries=len(found),
        queries_to_optimum=hit,
        seconds=seconds,
        searcher_seconds=seconds - looking_up,
        origins=origins,
        selected=selected,
        crew=crew,
        timing=None
        if problem.fidelity
        else Timing.of(engine.spans, [ends[query - 1] for query, _ in selected], hit and ends[hit - 1]),
        rows=None if problem.ordinary else rows,
        pruned=passed_over.count,
    )
    return comparison.at_checkpoints(noted)


def _expected(
    space: SearchSpace, problem: Problem, rows: Sequence[int | None], found: Sequence[Trial], at: Sequence[int]
) -> list[tuple[int, int]]:
    """``selected`` after every few queries, by what is expected of all that was measured; none where nothing is."""
    selected: list[tuple[int, int]] = []
    row_of = {trial.index: row for trial, row in zip(found, rows, strict=True)}
    for count in dict.fromkeys([*range(_PICKED_EVERY, len(found), _PICKED_EVERY), len(found)]):
        known = together(found[:count], problem)
        expected = leaders(space, known, problem).expected
        for best in best_first(known, problem, 1, expected) if expected else ():
            row = row_of[best.index]
            if row is not None and (not selected or selected[-1][1] != row):
                selected.append((at[count - 1], row))
    return selected


class _PassedOver(Observer):
    """Counts what limits let a searcher pass over."""

    count = 0

    def proposed(self, trials: Sequence[Trial], log: dict[str, Any]) -> None:  # noqa: ARG002
        """See ``Observer``."""
        self.count += log.get("passed_over", 0)


def _queries_to_optimum(
    comparison: Comparison, rows: Sequence[int | None], found: Sequence[Trial], at: Sequence[int]
) -> int | None:
    best = comparison.optimum[0]
    for query, row, trial in zip(at, rows, found, strict=True):
        if row is not None and trial.level is None and comparison.searched[row] == best:
            return query if query <= comparison.budget else None
    return None


def _selections(
    comparison: Comparison, rows: Sequence[int | None], found: Sequence[Trial], at: Sequence[int]
) -> tuple[list[tuple[int, int]], dict[str, OriginCount]]:
    """``selected`` and ``origins`` of a trial.

    A query improves that is better than all before it; of several objectives one that none before it equals or
    dominates, and then all of these are ``selected``. ``at`` is what was spent with each, in full queries; what is
    beyond the budget does not count.
    """
    selected: list[tuple[int, int]] = []
    origins: dict[str, OriginCount] = {}
    problem = comparison.problem
    best = np.empty((0, len(problem.objectives)))
    for query, row, trial in zip(at, rows, found, strict=True):
        scores = None if trial.measurement is None else problem.scores(trial.measurement)
        improved = False
        if (
            query <= comparison.budget
            and row is not None
            and scores is not None
            and not (best >= scores).all(axis=1).any()
        ):
            improved = True
            best = np.concatenate([best[~(best <= scores).all(axis=1)], [scores]])
            selected.append((query, row))
        count = origins.get(trial.origin, OriginCount(0, 0))
        origins[trial.origin] = OriginCount(count.queries + 1, count.improved + improved)
    return selected, origins
