"""Searchers against each other on one table: same budget, same seeds.

A query is one distinct architecture looked up; all count, the first random ones too. A searcher sees the search metric
only; at the checkpoints (every ten queries by default) the report metric of the architecture that is best by what the
searcher saw is noted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from naopt.bench.crews import ALONE, Crew
from naopt.bench.durations import Durations, EqualDurations
from naopt.bench.simulation import Simulation
from naopt.bench.trials import SearchTrial
from naopt.configuration import Settings
from naopt.errors import InputError
from naopt.evaluators.table import Noise, TableEvaluator, check_noise
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
        simulation: searches with several workers, beside the ordinary ones with one; ``None`` for none.

    Raises:
        InputError: a number out of range, a budget beyond the table, an unknown metric, a report metric that is
            missing in rows that have the search metric, noise without repeats, or durations that the table lacks.
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
    simulation: Simulation | None = None

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
        self.durations.unit(self.table)

    @property
    def durations(self) -> Durations:
        """How long evaluations take."""
        return EqualDurations() if self.simulation is None else self.simulation.durations

    @property
    def crews(self) -> list[Crew]:
        """Who does the evaluations: one worker, the ordinary way, then those that are simulated."""
        simulated = () if self.simulation is None else self.simulation.crews
        return list(dict.fromkeys([ALONE, *simulated]))

    @property
    def searches(self) -> list[tuple[str, int, Crew]]:
        """Searcher, trial and crew of each search."""
        return [(name, trial, crew) for trial in range(self.trials) for crew in self.crews for name in self.settings]

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
