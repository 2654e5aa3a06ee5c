"""Trials of a comparison in figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from naopt.bench.comparison import Comparison, SearchTrial
from naopt.errors import UnknownNameError
from naopt.measurement import Goal
from naopt.metrics import Summary, censored_median, paired_columns, summarise_columns
from naopt.tables import Table

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BASELINE = "random"


def summarise_trials(
    comparison: Comparison, trials: Sequence[SearchTrial], against: str | None = None
) -> dict[str, Any]:
    """The document of ``naopt bench --json``.

    Per searcher, aligned with ``checkpoints``: mean, standard deviation and 95 % interval of the report metric over
    trials, the mean of the search metric, and of both the mean simple regret with its interval: the distance to the
    best of the table, never negative. A checkpoint before which some trial has measured nothing holds ``None``.

    Args:
        comparison: what was compared.
        trials: all of it.
        against: the searcher that ``paired`` compares the others with, trial by trial; ``random`` if left out, where
            it took part.

    Raises:
        UnknownNameError: ``against`` is not among the searchers.
    """
    if against is not None and against not in comparison.settings:
        raise UnknownNameError("--against, searcher", against, comparison.settings)
    against = against or (_BASELINE if _BASELINE in comparison.settings else None)
    by_searcher = {name: [t for t in trials if t.searcher == name] for name in comparison.settings}
    table, goal = comparison.table, comparison.table.info(comparison.report_metric).goal
    return {
        "table": table.name,
        "surrogate": surrogates_of(table, (comparison.metric, comparison.report_metric)),
        "metric": comparison.metric,
        "report_metric": comparison.report_metric,
        "goal": goal,
        "unit": table.info(comparison.report_metric).unit,
        "budget": comparison.budget,
        "trials": comparison.trials,
        "seed": comparison.seed,
        "noise": comparison.noise,
        "optimum": dict(zip(("search_metric", "report_metric"), comparison.optimum, strict=True)),
        "checkpoints": comparison.checkpoints,
        "searchers": {name: _searcher(comparison, name, own) for name, own in by_searcher.items()},
        "against": against,
        "paired": {
            name: {"against": against, **_against(own, by_searcher[against], goal)}
            for name, own in by_searcher.items()
            if against is not None and name != against
        },
    }


def checkpoint_columns(checkpoints: Sequence[int], columns: int = 3) -> list[int]:
    """Indices of about so many evenly spaced checkpoints, the last among them."""
    step = -(-len(checkpoints) // columns)
    return sorted({*range(step - 1, len(checkpoints), step), len(checkpoints) - 1})


def surrogates_of(table: Table, metrics: Sequence[str]) -> dict[str, Any] | None:
    """Which of the metrics a surrogate predicted in some rows, and how; ``None`` if all were measured."""
    found = {name: table.surrogates[name].model_dump(mode="json") for name in metrics if name in table.surrogates}
    return found or None


def _searcher(comparison: Comparison, name: str, trials: Sequence[SearchTrial]) -> dict[str, Any]:
    table, (best_searched, best_reported) = comparison.table, comparison.optimum
    reported = _summaries(_values(trials, "report_metric"))
    searched = _summaries(_values(trials, "search_metric"))
    origins = sorted({origin for trial in trials for origin in trial.origins})
    hits = [trial.queries_to_optimum for trial in trials]
    median = censored_median([np.inf if hit is None else hit for hit in hits])
    return {
        "mean_report_metric": [s and s.mean for s in reported],
        "std": [s and s.std for s in reported],
        "ci95": [s and list(s.ci95) for s in reported],
        "mean_search_metric": [s and s.mean for s in searched],
        "report_regret": _regret(reported, best_reported, table.info(comparison.report_metric).goal),
        "search_regret": _regret(searched, best_searched, table.info(comparison.metric).goal),
        "queries_to_optimum": hits,
        "optimum_found": median.found,
        "median_queries_to_optimum": median.median,
        "median_queries_to_optimum_ci95": list(median.ci95),
        "queries_per_trial": [trial.queries for trial in trials],
        "seconds_per_trial": [trial.seconds for trial in trials],
        "searcher_seconds_per_trial": [trial.searcher_seconds for trial in trials],
        "origins": {
            origin: {
                "queries": sum(t.origins[origin].queries for t in trials if origin in t.origins),
                "improved": sum(t.origins[origin].improved for t in trials if origin in t.origins),
            }
            for origin in origins
        },
        "settings": comparison.settings[name].model_dump(mode="json"),
    }


def _regret(summaries: Sequence[Summary | None], best: float, goal: Goal) -> dict[str, Any]:
    """Mean distance to the best, and its interval: those of the metric, turned and moved, and nothing below zero."""
    sign = 1 if goal == "max" else -1
    ends = [s and sorted(max(0.0, sign * (best - end)) for end in s.ci95) for s in summaries]
    return {"mean": [s and abs(best - s.mean) for s in summaries], "ci95": ends}


def _against(trials: Sequence[SearchTrial], baseline: Sequence[SearchTrial], goal: Goal) -> dict[str, Any]:
    """Differences to the baseline at each checkpoint; ``better`` counts the trials ahead of it, whatever the goal."""
    names = ("mean_difference", "ci95", "better", "equal", "worse", "p_wilcoxon", "p_sign")
    mine, theirs = _values(trials, "report_metric"), _values(baseline, "report_metric")
    known = np.flatnonzero(np.isfinite(mine).all(axis=0) & np.isfinite(theirs).all(axis=0))
    rows: dict[str, list[Any]] = {name: [None] * mine.shape[1] for name in names}
    for index, pair in zip(known.tolist(), paired_columns(mine[:, known], theirs[:, known]), strict=True):
        counts = (pair.larger, pair.equal, pair.smaller)
        better, equal, worse = counts if goal == "max" else counts[::-1]
        values = (pair.difference.mean, list(pair.difference.ci95), better, equal, worse, pair.p_wilcoxon, pair.p_sign)
        for name, value in zip(names, values, strict=True):
            rows[name][index] = value
    return rows


def _values(trials: Sequence[SearchTrial], field: str) -> NDArray[np.float64]:
    """``(trials, checkpoints)``, NaN before anything was measured."""
    return np.array([getattr(trial, field) for trial in trials], dtype=np.float64)


def _summaries(values: NDArray[np.float64]) -> list[Summary | None]:
    """By checkpoint; ``None`` where a trial has measured nothing."""
    known = np.flatnonzero(np.isfinite(values).all(axis=0)).tolist()
    summaries: list[Summary | None] = [None] * values.shape[1]
    for index, summary in zip(known, summarise_columns(values[:, known]), strict=True):
        summaries[index] = summary
    return summaries
