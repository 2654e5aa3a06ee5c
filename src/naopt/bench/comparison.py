"""Searchers against each other on one table: same budget, same seeds.

A query is one distinct architecture looked up; all count, the first random ones too. A searcher sees the search metric
only; at the checkpoints (every ten queries by default) the report metric of the architecture that is best by what the
searcher saw is noted.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from naopt.bench.workers import run_jobs
from naopt.configuration import Settings
from naopt.errors import InputError
from naopt.evaluators.table import Noise, TableEvaluator, check_noise
from naopt.execution.jobs import evaluation_seed
from naopt.execution.loop import search
from naopt.measurement import Measurement
from naopt.searchers import Objective, Proposal, searchers
from naopt.spaces import Architecture
from naopt.tables import Table

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Comparison:
    """What is compared, and how.

    Attributes:
        table: where architectures are looked up.
        metric: the search metric.
        report_metric: what is reported of the architecture that the search metric selects.
        settings: searcher names and their settings.
        budget: queries of one trial.
        trials: per searcher; trial ``k`` has the same seed in all of them.
        seed: of the comparison, non-negative.
        noise: with ``repeat`` a query returns one repeat of the search metric, drawn at random. Selection goes by what
            was seen; what is reported of the selected one, and what counts as the optimum, by the mean of the repeats.
        every: number of queries between two checkpoints. Trials do not depend on it.

    Raises:
        InputError: a number out of range, a budget beyond the table, an unknown metric, a report metric that is
            missing in rows that have the search metric, or noise without repeats.
    """

    table: Table
    metric: str
    report_metric: str
    settings: Mapping[str, Settings]
    budget: int
    trials: int
    seed: int = 0
    noise: Noise = "mean"
    every: int = 10

    def __post_init__(self) -> None:
        least_values = {"budget": 1, "trials": 1, "seed": 0, "every": 1}
        for name, least in least_values.items():
            value = getattr(self, name)
            if value < least:
                raise InputError(name, value, f"must be at least {least}")
        if self.budget > len(self.table):
            raise InputError("budget", self.budget, f"table {self.table.name} has {len(self.table)} rows")
        measured = np.isfinite(self.table.values(self.metric))
        if not measured.any():
            raise InputError("metric", self.metric, f"is measured in no row of table {self.table.name}")
        check_noise(self.table, self.metric, self.noise)
        missing = np.flatnonzero(measured & np.isnan(self.table.values(self.report_metric)))
        if len(missing):
            rule = f"is missing in row {missing[0]} of table {self.table.name}, which has {self.metric}"
            raise InputError("report metric", self.report_metric, rule)

    @cached_property
    def checkpoints(self) -> list[int]:
        """Query counts at which the selected architecture is noted: ``every``, 2 ``every``, ... and the budget."""
        return [*range(self.every, self.budget, self.every), self.budget]

    @cached_property
    def evaluator(self) -> TableEvaluator:
        """Looks up; one for all trials of a process, since the space of a partial table takes long to make."""
        return TableEvaluator(self.table, [self.metric], self.noise)

    @cached_property
    def searched(self) -> NDArray[np.float64]:
        """The search metric of every row ``(n,)``, mean over repeats; NaN where it is not measured."""
        return self.table.values(self.metric)

    @cached_property
    def reported(self) -> NDArray[np.float64]:
        """The report metric of every row ``(n,)``, mean over repeats."""
        return self.table.values(self.report_metric)

    @cached_property
    def optimum(self) -> tuple[float, float]:
        """The best search metric, and the best report metric of a row that has the search metric."""
        measured = np.isfinite(self.searched)
        goals = (self.table.info(self.metric).goal, self.table.info(self.report_metric).goal)
        best = [
            float(values[measured].max() if goal == "max" else values[measured].min())
            for values, goal in zip((self.searched, self.reported), goals, strict=True)
        ]
        return best[0], best[1]

    def at_checkpoints(self, trial: SearchTrial) -> SearchTrial:
        """The trial with both metrics as they were at this comparison's checkpoints."""
        rows: list[int | None] = []
        left = list(trial.selected)
        row: int | None = None
        for point in self.checkpoints:
            while left and left[0][0] <= point:
                row = left.pop(0)[1]
            rows.append(row)
        return replace(
            trial,
            search_metric=[None if row is None else float(self.searched[row]) for row in rows],
            report_metric=[None if row is None else float(self.reported[row]) for row in rows],
        )

    def __reduce__(self) -> tuple[type[Comparison], tuple[Any, ...]]:
        return type(self), tuple(getattr(self, field.name) for field in fields(self))

    def trial_seed(self, trial: int) -> int:
        """The seed of a trial, the same for every searcher."""
        return int(np.random.SeedSequence([self.seed, trial]).generate_state(1)[0])


@dataclass(frozen=True, slots=True)
class OriginCount:
    """How many queries came from one origin, and how many of these were better than all before."""

    queries: int
    improved: int


@dataclass(frozen=True, slots=True)
class SearchTrial:
    """One search.

    Attributes:
        searcher: its name.
        trial: 0-based.
        search_metric: of the selected architecture at each checkpoint (the mean of its repeats); ``None`` before
            anything was measured.
        report_metric: of the same architecture.
        queries: how many were used; fewer than the budget if the searcher found nothing new, in which case the last
            selection stands for the checkpoints after.
        queries_to_optimum: the query that first looked up the table's best mean search metric; ``None`` if none did.
        seconds: wall time of the search.
        searcher_seconds: of these, what was not spent on looking up.
        origins: queries by origin.
        selected: query (1-based) and table row of each selection that replaced the one before.
    """

    searcher: str
    trial: int
    search_metric: list[float | None]
    report_metric: list[float | None]
    queries: int
    queries_to_optimum: int | None
    seconds: float
    searcher_seconds: float
    origins: dict[str, OriginCount]
    selected: list[tuple[int, int]]


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
        done: trials of an earlier call with the same comparison, which are not run again.
        on_trial: is called with every trial that ends.

    Returns:
        All trials, by searcher (in the order of the settings) and number.

    Raises:
        JobError: a trial raised; the others are stopped. ``on_trial`` has been called with all that had ended.
        InputError: fewer than 1 worker, or a searcher that refuses the table.
    """
    if workers < 1:
        raise InputError("workers", workers, "must be at least 1")
    wanted = [(name, trial) for trial in range(comparison.trials) for name in comparison.settings]
    found = {(trial.searcher, trial.trial): trial for trial in done}
    jobs = {f"searcher {name}, trial {trial}": (name, trial) for name, trial in wanted if (name, trial) not in found}
    with closing(run_jobs(run_trial, jobs, workers, (comparison,))) as results:
        for _, result in results:
            found[result.searcher, result.trial] = result
            on_trial(result)
    return [found[name, trial] for name in comparison.settings for trial in range(comparison.trials)]


def run_trial(comparison: Comparison, name: str, trial: int) -> SearchTrial:
    """One search, in this process."""
    evaluator = comparison.evaluator
    objective = Objective(comparison.metric, evaluator.metrics[comparison.metric].goal)
    started = time.perf_counter()
    searcher = searchers.get(name)(
        evaluator.space,
        objective,
        comparison.settings[name],
        seed=comparison.trial_seed(trial),
        budget=comparison.budget,
    )
    drawn = comparison.noise == "repeat"
    looking_up = 0.0

    def evaluate(architecture: Architecture) -> Measurement:
        nonlocal looking_up
        begun = time.perf_counter()
        found = evaluator.evaluate(architecture, evaluation_seed(searcher.seed, architecture) if drawn else 0)
        looking_up += time.perf_counter() - begun
        return found

    found = search(searcher, evaluate, comparison.budget)
    seconds = time.perf_counter() - started
    noted = SearchTrial(
        searcher=name,
        trial=trial,
        search_metric=[],
        report_metric=[],
        queries=len(found),
        queries_to_optimum=_queries_to_optimum(comparison, found),
        seconds=seconds,
        searcher_seconds=seconds - looking_up,
        **_selections(comparison, objective, found),
    )
    return comparison.at_checkpoints(noted)


def _queries_to_optimum(comparison: Comparison, found: Sequence[tuple[Proposal, Measurement]]) -> int | None:
    rows = (comparison.table.row(proposal.architecture) for proposal, _ in found)
    best = comparison.optimum[0]
    hits = (query for query, row in enumerate(rows, start=1) if row is not None and comparison.searched[row] == best)
    return next(hits, None)


def _selections(
    comparison: Comparison, objective: Objective, found: Sequence[tuple[Proposal, Measurement]]
) -> dict[str, Any]:
    """``selected`` and ``origins`` of a trial."""
    selected: list[tuple[int, int]] = []
    origins: dict[str, OriginCount] = {}
    best = -math.inf
    for query, (proposal, measurement) in enumerate(found, start=1):
        row, score = comparison.table.row(proposal.architecture), objective.score(measurement)
        improved = False
        if row is not None and score is not None and score > best:
            best, improved = score, True
            selected.append((query, row))
        count = origins.get(proposal.origin, OriginCount(0, 0))
        origins[proposal.origin] = OriginCount(count.queries + 1, count.improved + improved)
    return {"selected": selected, "origins": origins}
