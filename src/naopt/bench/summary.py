"""Trials of a comparison in figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from naopt.bench.comparison import Comparison, SearchTrial
from naopt.metrics import paired_summary, summarise

_BASELINE = "random"


def summarise_trials(comparison: Comparison, trials: Sequence[SearchTrial]) -> dict[str, Any]:
    """The document of ``naopt bench --json``.

    Per searcher, aligned with ``checkpoints``: mean, standard deviation and 95 % interval of the report metric over
    trials, and the mean of the search metric; a checkpoint before which some trial has measured nothing holds ``None``.
    ``paired`` holds the differences to ``random`` of the trials with the same seed, where random search took part.
    """
    by_searcher = {name: [t for t in trials if t.searcher == name] for name in comparison.settings}
    table, goal = comparison.table, comparison.table.info(comparison.report_metric).goal
    document: dict[str, Any] = {
        "table": table.name,
        "metric": comparison.metric,
        "report_metric": comparison.report_metric,
        "goal": goal,
        "unit": table.info(comparison.report_metric).unit,
        "budget": comparison.budget,
        "trials": comparison.trials,
        "seed": comparison.seed,
        "noise": comparison.noise,
        "checkpoints": comparison.checkpoints,
        "searchers": {name: _searcher(comparison, name, own) for name, own in by_searcher.items()},
    }
    if _BASELINE in by_searcher:
        document["paired"] = {
            name: _against(own, by_searcher[_BASELINE], goal) for name, own in by_searcher.items() if name != _BASELINE
        }
    return document


def checkpoint_columns(checkpoints: Sequence[int], columns: int = 3) -> list[int]:
    """Indices of about so many evenly spaced checkpoints, the last among them."""
    step = -(-len(checkpoints) // columns)
    return sorted({*range(step - 1, len(checkpoints), step), len(checkpoints) - 1})


def _searcher(comparison: Comparison, name: str, trials: Sequence[SearchTrial]) -> dict[str, Any]:
    reported = [_column(trials, "report_metric", i) for i in range(len(comparison.checkpoints))]
    searched = [_column(trials, "search_metric", i) for i in range(len(comparison.checkpoints))]
    summaries = [None if values is None else summarise(values) for values in reported]
    origins = sorted({origin for trial in trials for origin in trial.origins})
    return {
        "mean_report_metric": [s and s.mean for s in summaries],
        "std": [s and s.std for s in summaries],
        "ci95": [s and list(s.ci95) for s in summaries],
        "mean_search_metric": [None if values is None else summarise(values).mean for values in searched],
        "queries_to_optimum": [trial.queries_to_optimum for trial in trials],
        "queries_per_trial": [trial.queries for trial in trials],
        "seconds_per_trial": [trial.seconds for trial in trials],
        "origins": {
            origin: {
                "queries": sum(t.origins[origin].queries for t in trials if origin in t.origins),
                "improved": sum(t.origins[origin].improved for t in trials if origin in t.origins),
            }
            for origin in origins
        },
        "settings": comparison.settings[name].model_dump(mode="json"),
    }


def _against(trials: Sequence[SearchTrial], baseline: Sequence[SearchTrial], goal: str) -> dict[str, Any]:
    """Differences to the baseline at each checkpoint; ``better`` counts the trials ahead of it, whatever the goal."""
    rows: dict[str, list[Any]] = {"mean_difference": [], "ci95": [], "better": [], "equal": [], "worse": []}
    for index in range(len(trials[0].report_metric)):
        mine, theirs = _column(trials, "report_metric", index), _column(baseline, "report_metric", index)
        if mine is None or theirs is None:
            found: tuple[Any, ...] = (None,) * len(rows)
        else:
            pair = paired_summary(mine, theirs)
            counts = (pair.larger, pair.equal, pair.smaller)
            counts = counts if goal == "max" else counts[::-1]
            found = (pair.difference.mean, list(pair.difference.ci95), *counts)
        for column, value in zip(rows.values(), found, strict=True):
            column.append(value)
    return {"against": _BASELINE, **rows}


def _column(trials: Sequence[SearchTrial], field: str, index: int) -> list[float] | None:
    values = [getattr(trial, field)[index] for trial in trials]
    return None if None in values else values
