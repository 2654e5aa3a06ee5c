"""Searchers against each other on one table: same budget, same seeds.

A query is one distinct architecture looked up; all count, the first random ones too. A searcher sees the search metric
only; after every ten queries the report metric of the best architecture by search metric is noted.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from naopt.bench.workers import run_jobs
from naopt.configuration import Settings
from naopt.errors import InputError
from naopt.evaluators.table import Noise, TableEvaluator, check_noise
from naopt.measurement import Measurement
from naopt.run.loop import evaluation_seed, search
from naopt.searchers import Objective, Proposal, searchers
from naopt.spaces import Architecture
from naopt.tables import Table

_STEP = 10


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

    def __post_init__(self) -> None:
        for name, value, least in (("budget", self.budget, 1), ("trials", self.trials, 1), ("seed", self.seed, 0)):
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
        """Query counts at which the selected architecture is noted: 10, 20, ... and the budget."""
        return [*range(_STEP, self.budget, _STEP), self.budget]

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
        seconds: wall time of the searcher and the lookups.
        origins: queries by origin.
    """

    searcher: str
    trial: int
    search_metric: list[float | None]
    report_metric: list[float | None]
    queries: int
    queries_to_optimum: int | None
    seconds: float
    origins: dict[str, OriginCount]


def compare(
    comparison: Comparison,
    workers: int = 1,
    done: Iterable[SearchTrial] = (),
    on_trial: Callable[[SearchTrial], None] = lambda _: None,
) -> list[SearchTrial]:
    """Runs every trial of every searcher, each in a process of its own.

    Args:
        comparison: what to run.
        workers: processes at a time; changes nothing but the time.
        done: trials of an earlier call with the same comparison, which are not run again.
        on_trial: is called with every trial that ends.

    Returns:
        All trials, by searcher (in the order of the settings) and number.

    Raises:
        JobError: a trial raised; the others are stopped.
        InputError: fewer than 1 worker.
    """
    if workers < 1:
        raise InputError("workers", workers, "must be at least 1")
    wanted = [(name, trial) for trial in range(comparison.trials) for name in comparison.settings]
    found = {(trial.searcher, trial.trial): trial for trial in done}
    jobs = {
        f"searcher {name}, trial {trial}": (comparison, name, trial)
        for name, trial in wanted
        if (name, trial) not in found
    }
    with closing(run_jobs(run_trial, jobs, workers)) as results:
        for _, result in results:
            found[result.searcher, result.trial] = result
            on_trial(result)
    return [found[name, trial] for name in comparison.settings for trial in range(comparison.trials)]


def run_trial(comparison: Comparison, name: str, trial: int) -> SearchTrial:
    """One search, in this process."""
    evaluator = TableEvaluator(comparison.table, [comparison.metric], comparison.noise)
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

    def evaluate(architecture: Architecture) -> Measurement:
        return evaluator.evaluate(architecture, evaluation_seed(searcher.seed, architecture) if drawn else 0)

    found = search(searcher, evaluate, comparison.budget)
    seconds = time.perf_counter() - started
    return _note(comparison, objective, name, trial, found, seconds)


def _note(
    comparison: Comparison,
    objective: Objective,
    name: str,
    trial: int,
    found: list[tuple[Proposal, Measurement]],
    seconds: float,
) -> SearchTrial:
    table = comparison.table
    searched, reported = table.values(comparison.metric), table.values(comparison.report_metric)
    selected: list[int | None] = []
    origins: dict[str, OriginCount] = {}
    looked_up: list[int | None] = []
    best: int | None = None
    best_score = -math.inf
    for proposal, measurement in found:
        row, score = table.row(proposal.architecture), objective.score(measurement)
        improved = score is not None and score > best_score
        if score is not None and improved:
            best, best_score = row, score
        selected.append(best)
        looked_up.append(row)
        count = origins.get(proposal.origin, OriginCount(0, 0))
        origins[proposal.origin] = OriginCount(count.queries + 1, count.improved + improved)
    optimum = np.nanmax(searched) if objective.goal == "max" else np.nanmin(searched)
    hits = (index for index, row in enumerate(looked_up, start=1) if row is not None and searched[row] == optimum)
    at = [selected[min(point, len(selected)) - 1] if selected else None for point in comparison.checkpoints]
    return SearchTrial(
        searcher=name,
        trial=trial,
        search_metric=[None if row is None else float(searched[row]) for row in at],
        report_metric=[None if row is None else float(reported[row]) for row in at],
        queries=len(found),
        queries_to_optimum=next(hits, None),
        seconds=seconds,
        origins=origins,
    )
