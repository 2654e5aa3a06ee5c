"""Searchers against each other on one table: same budget, same seeds.

A query is one distinct architecture looked up; all count, the first random ones too. A searcher sees what is searched
by only; at the checkpoints (every ten queries by default) the report metric of the architecture that is best by what
the searcher saw is noted. With several objectives the rows are noted, in the order of the queries.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from naopt.bench.choice import Choice
from naopt.bench.crews import ALONE, Crew
from naopt.bench.durations import Durations, EqualDurations
from naopt.bench.front import MARGIN, TableFront
from naopt.bench.limits import check_limits, rows_within
from naopt.bench.settings import searcher_name
from naopt.bench.simulation import Simulation
from naopt.bench.trials import SearchTrial
from naopt.configuration import Settings
from naopt.errors import InputError, UnknownNameError
from naopt.evaluators.prior_columns import prior_columns
from naopt.evaluators.table import Noise, TableEvaluator, check_noise
from naopt.fidelity import Fidelity
from naopt.latent.beliefs import Beliefs
from naopt.problem import Costs, Limit, Named, Problem, named_objectives
from naopt.run.beliefs import other_beliefs
from naopt.run.problem import ALL_THE_SAME
from naopt.searchers import Scalarisation, searchers
from naopt.searchers.base import one_only
from naopt.searchers.multi_fidelity import MultiFidelitySearcher
from naopt.tables import Table

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Comparison:
    """What is compared, and how.

    Attributes:
        table: where architectures are looked up.
        metric: the search metric; or several objectives, separated by commas.
        report_metric: what is reported of the architecture that the search metric selects. Of several objectives the
            front is reported, and this is the same as ``metric``.
        settings: searcher names and their settings.
        budget: queries of one trial.
        trials: per searcher; trial ``k`` has the same seed in all of them.
        seed: of the comparison, non-negative.
        noise: with ``repeat`` a query returns one repeat, drawn at random. Selection goes by what was seen; what is
            reported of the selected one, and what counts as the optimum, by the mean of the repeats.
        every: number of queries between two checkpoints. Trials do not depend on it.
        simulation: searches with several workers, beside the ordinary ones with one; ``None`` for none.
        limits: that what is selected has to keep. Rows that do not count neither as optimum nor in a front.
        known: columns that cost no query; those that are called like a cost, or ``none``.
        scalarisation: how several objectives become one for searchers that take one; others are not concerned.
        reference: by metric what hypervolume is measured from; by default a tenth of the range below the worst row.
        prior_columns: that searchers may look at before a query, as prior knowledge.
        history: sources of other tasks or metrics (``SOURCE:METRIC``, files of ``naopt prior save``), likewise.
        pick: with standard errors, whether what is selected is best by all measurements together, or by its own.
        fidelities: columns that are cheaper versions of the metric, the cheapest first, the metric last. Queries, the
            budget and checkpoints then count in full queries, and parts of one count up.
        fidelity_costs: what these cost, in any unit; by default the numbers in their names.
        remeasure: how often an architecture may be measured, with ``noise=repeat``.

    Raises:
        InputError: a number out of range, an unknown metric, a report metric that is missing in rows that have the
            search metric, noise and repeats without each other, durations that the table lacks, limits that nothing
            keeps, or with several objectives or limits what is for one.
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
    limits: tuple[Limit, ...] = ()
    known: tuple[str, ...] = ()
    scalarisation: Scalarisation | None = None
    reference: Mapping[str, float] = field(default_factory=dict)
    prior_columns: tuple[str, ...] = ()
    history: tuple[str, ...] = ()
    pick: Choice = "expected"
    fidelities: tuple[str, ...] = ()
    fidelity_costs: tuple[float, ...] = ()
    remeasure: int = 1

    def __post_init__(self) -> None:
        least_values = {"budget": 1, "trials": 1, "seed": 0, "every": 1, "remeasure": 1}
        for name, least in least_values.items():
            value = getattr(self, name)
            if value < least:
                raise InputError(name, value, f"must be at least {least}")
        if self.budget > len(self.table):
            raise InputError("budget", self.budget, f"table {self.table.name} has {len(self.table)} rows")
        metric = ",".join(objective.metric for objective in self.problem.objectives)
        if self.report_metric == self.metric:
            object.__setattr__(self, "report_metric", metric)
        object.__setattr__(self, "metric", metric)
        self._check_metrics()
        self.durations.unit(self.table)

    def _check_metrics(self) -> None:
        problem, table = self.problem, self.table
        if self.scalarisation is not None:
            self.scalarisation.directions(problem)
        for metric in problem.metrics:
            if not np.isfinite(table.values(metric)).any():
                raise InputError("metric", metric, f"is measured in no row of table {table.name}")
        check_limits(table, problem)
        self._check_priors()
        check_noise(table, problem.objective.metric, self.noise)
        self._check_fidelities()
        if self.remeasure > 1 and self.noise == "mean":
            raise InputError("remeasure", self.remeasure, ALL_THE_SAME)
        if not problem.ordinary and self.noise != "mean":
            raise InputError("noise", self.noise, "is for one objective without limits")
        if self.several:
            if self.report_metric != self.metric:
                raise InputError(
                    "report metric", self.report_metric, "is for one objective; of several the front counts"
                )
            if self.simulation is not None:
                raise InputError("objectives", self.metric, "workers are simulated for one objective only")
            for kind in (searchers.get(searcher_name(name)) for name in self.settings):
                if self.scalarisation is None and not kind.several:
                    raise InputError("objectives", self.metric, one_only(kind))
            self._check_reference()
            return
        if self.reference:
            raise InputError("reference", ", ".join(self.reference), "is for several objectives")
        missing = np.flatnonzero(np.isfinite(self.searched) & np.isnan(table.values(self.report_metric)))
        if len(missing):
            rule = f"is missing in row {missing[0]} of table {table.name}, which has {self.metric}"
            raise InputError("report metric", self.report_metric, rule)

    def _check_fidelities(self) -> None:
        if self.problem.fidelity is not None:
            if not self.problem.ordinary:
                raise InputError("fidelities", ", ".join(self.fidelities), "are for one objective without limits")
            if self.simulation is not None:
                raise InputError("fidelities", ", ".join(self.fidelities), "are not for simulated workers")
            self.evaluator.at(None)
        elif self.fidelity_costs:
            raise InputError("fidelity costs", ", ".join(map(str, self.fidelity_costs)), "need --fidelities")
        for name, settings in self.settings.items():
            kind = searchers.get(searcher_name(name))
            if issubclass(kind, MultiFidelitySearcher):
                kind.check(self.problem, settings)

    def _check_priors(self) -> None:
        kinds = [searchers.get(searcher_name(name)) for name in self.settings]
        if self.priors is not None and not any(kind.informed for kind in kinds):
            raise InputError("searchers", ", ".join(self.settings), "take no prior knowledge; nao, for one, does")

    def _check_reference(self) -> None:
        names = [objective.metric for objective in self.problem.objectives]
        for name, value in self.reference.items():
            if name not in names:
                raise UnknownNameError("reference, objective", name, names)
            if not math.isfinite(value):
                raise InputError(f"reference of {name}", value, "must be a finite number")
        if not self.front.hypervolume:
            shown = ", ".join(f"{name}={value:g}" for name, value in self.reference.items())
            raise InputError("reference", shown, f"no row of table {self.table.name} is better in every objective")

    @cached_property
    def problem(self) -> Problem:
        """What is searched for."""
        infos, named = self.table.infos, named_objectives(self.metric, self.table.infos) or (Named(self.metric),)
        for each in named:
            self.table.info(each.metric)
        objectives = tuple(each.among(infos) for each in named)
        fidelity = Fidelity.parse(self.fidelities, self.fidelity_costs) if self.fidelities else None
        return Problem(objectives, self.limits, fidelity=fidelity, repeats=self.remeasure)

    @property
    def several(self) -> bool:
        """Whether there is more than one objective."""
        return len(self.problem.objectives) > 1

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
        return TableEvaluator(self.table, self.problem.metrics, self.noise, self.known, self.problem.fidelity)

    @cached_property
    def priors(self) -> Costs | None:
        """What searchers know before. Raises ``InputError`` as ``prior_columns``, and as ``other_beliefs``."""
        wanted = [*(objective.metric for objective in self.problem.objectives), self.report_metric]
        columns = prior_columns(self.table, self.prior_columns, wanted)
        if not self.history:
            return columns
        return Beliefs(other_beliefs(self.history, self.table.space, self.problem.objective), columns)

    @cached_property
    def feasible(self) -> NDArray[np.bool_]:
        """Which rows keep all limits, as far as is known ``(n,)``."""
        return rows_within(self.table, self.limits)

    @cached_property
    def scores(self) -> NDArray[np.float64]:
        """All objectives of every row ``(n, k)``, larger is better; NaN where one is missing or a limit broken."""
        columns = [objective.sign * self.table.values(objective.metric) for objective in self.problem.objectives]
        found = np.stack(columns, axis=1)
        counted = self.feasible & np.isfinite(found).all(axis=1)
        return np.where(counted[:, None], found, np.nan)

    @cached_property
    def ends(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The worst and the best score of each objective ``(k,)`` among the rows that count."""
        return np.nanmin(self.scores, axis=0), np.nanmax(self.scores, axis=0)

    @cached_property
    def front(self) -> TableFront:
        """Of several objectives, what the whole table has of the best."""
        low, high = self.ends
        corner = low - MARGIN * np.where(high > low, high - low, 1.0)
        for at, objective in enumerate(self.problem.objectives):
            if objective.metric in self.reference:
                corner[at] = objective.sign * self.reference[objective.metric]
        return TableFront.of(self.scores, corner)

    @cached_property
    def searched(self) -> NDArray[np.float64]:
        """The search metric of every row ``(n,)``, mean over repeats; NaN where there is none, or a limit is broken."""
        return np.where(self.feasible, self.table.values(self.problem.objective.metric), np.nan)

    @cached_property
    def reported(self) -> NDArray[np.float64]:
        """The report metric of every row ``(n,)``, mean over repeats."""
        return self.table.values(self.report_metric)

    @cached_property
    def optimum(self) -> tuple[float, float]:
        """The best search metric, and the best report metric of a row that has the search metric."""
        measured = np.isfinite(self.searched)
        goals = (self.problem.objective.goal, self.table.info(self.report_metric).goal)
        best = [
            float(values[measured].max() if goal == "max" else values[measured].min())
            for values, goal in zip((self.searched, self.reported), goals, strict=True)
        ]
        return best[0], best[1]

    def at_checkpoints(self, trial: SearchTrial) -> SearchTrial:
        """The trial with both metrics as they were at this comparison's checkpoints; of several objectives as it is."""
        if self.several:
            return trial
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
