"""Searches with several workers in figures: at equal wall time, how busy the workers were, what it cost in queries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from naopt.bench.columns import differences, regret, summaries, times_to
from naopt.bench.comparison import Comparison
from naopt.bench.crews import ALONE, Crew
from naopt.bench.trials import SearchTrial, Timing
from naopt.metrics import summarise

if TYPE_CHECKING:
    from numpy.typing import NDArray

FRACTIONS = tuple(tenth / 10 for tenth in range(1, 11))
"""Of the wall time at whose parts searches are compared."""


def summarise_simulation(comparison: Comparison, trials: Sequence[SearchTrial]) -> dict[str, Any] | None:
    """The member ``simulated`` of a document; ``None`` if nothing was.

    ``wall`` holds, for each number of workers, the times at which searches are compared: ``fractions`` of the mean wall
    time of whichever searcher and schedule needed least. Under ``searchers`` stands, by searcher, number of workers
    and schedule, and aligned with ``wall``, the report metric of what was selected by then. A search that has
    ended keeps its selection. ``busy`` is the share of all worker time that was spent on evaluations;
    ``busy_before_last`` is the share up to the time when the last evaluation began, and ``None`` where all began at
    once: after that there is nothing left that a worker could do. ``query_ratio`` compares the median queries to the
    optimum with those of one worker in rounds. ``paired`` is ``async`` less ``rounds``, trial by trial.

    Args:
        comparison: what was compared.
        trials: all of it.
    """
    simulation = comparison.simulation
    if simulation is None:
        return None
    by_search: dict[tuple[str, Crew], list[SearchTrial]] = {}
    for trial in trials:
        by_search.setdefault((trial.searcher, trial.crew), []).append(trial)
    wall: dict[str, list[float]] = {}
    searchers: dict[str, dict[str, Any]] = {name: {} for name in comparison.settings}
    paired: dict[str, dict[str, Any]] = {name: {} for name in comparison.settings}
    goal = comparison.table.info(comparison.report_metric).goal
    for workers in simulation.workers:
        crews = {schedule: simulation.crew(workers, schedule) for schedule in simulation.schedules}
        least = min(_mean_wall(by_search[name, crew]) for name in searchers for crew in crews.values())
        times = [fraction * least for fraction in FRACTIONS]
        wall[str(workers)] = times
        for name in searchers:
            own = {schedule: by_search[name, crew] for schedule, crew in crews.items()}
            values = {schedule: values_at(comparison, found, times) for schedule, found in own.items()}
            alone = by_search[name, ALONE]
            searchers[name][str(workers)] = {
                schedule: _search(comparison, found, values[schedule], alone) for schedule, found in own.items()
            }
            if len(values) > 1:
                pair = differences(values["async"], values["rounds"], goal)
                paired[name][str(workers)] = {"against": "rounds", **pair}
    return {
        "durations": simulation.durations.text,
        "unit": simulation.durations.unit(comparison.table),
        "workers": list(simulation.workers),
        "schedules": list(simulation.schedules),
        "batch": simulation.batch,
        "fractions": list(FRACTIONS),
        "wall": wall,
        "searchers": searchers,
        "paired": paired,
    }


def values_at(comparison: Comparison, trials: Sequence[SearchTrial], times: Sequence[float]) -> NDArray[np.float64]:
    """The report metric of what each trial had selected by each time ``(trials, times)``; NaN before the first."""
    found = np.full((len(trials), len(times)), np.nan)
    for values, trial in zip(found, trials, strict=True):
        at = np.searchsorted(timing(trial).selected, times, side="right")
        rows = np.array([row for _, row in trial.selected], dtype=np.int64)
        values[at > 0] = comparison.reported[rows[at[at > 0] - 1]]
    return found


def timing(trial: SearchTrial) -> Timing:
    """Of a trial of a simulation, which has one."""
    assert trial.timing is not None
    return trial.timing


def _mean_wall(trials: Sequence[SearchTrial]) -> float:
    return float(np.mean([timing(trial).wall for trial in trials]))


def _search(
    comparison: Comparison, trials: Sequence[SearchTrial], values: NDArray[np.float64], alone: Sequence[SearchTrial]
) -> dict[str, Any]:
    found, goal = summaries(values), comparison.table.info(comparison.report_metric).goal
    crew, times = trials[0].crew, [timing(trial) for trial in trials]
    queries = times_to("queries", [trial.queries_to_optimum for trial in trials])
    before = times_to("queries", [trial.queries_to_optimum for trial in alone])
    medians = queries["median_queries_to_optimum"], before["median_queries_to_optimum"]
    return {
        "batch": crew.batch,
        "wall_per_trial": [one.wall for one in times],
        "busy": _share([one.busy / (crew.workers * one.wall) for one in times if one.wall]),
        "busy_before_last": _share(
            [one.busy_before / (crew.workers * one.last_begun) for one in times if one.last_begun]
        ),
        "mean_report_metric": [s and s.mean for s in found],
        "ci95": [s and list(s.ci95) for s in found],
        "report_regret": regret(found, comparison.optimum[1], goal),
        **queries,
        **times_to("wall", [one.optimum for one in times]),
        "query_ratio": None if None in medians else medians[0] / medians[1],
        "queries_per_trial": [trial.queries for trial in trials],
        "seconds_per_trial": [trial.seconds for trial in trials],
    }


def _share(values: Sequence[float]) -> dict[str, Any] | None:
    """Mean and interval of shares; ``None`` without any."""
    if not values:
        return None
    found = summarise(values)
    return {"mean": found.mean, "ci95": list(found.ci95)}
