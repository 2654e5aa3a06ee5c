"""Trials of a comparison in figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from naopt.bench.columns import differences, regret, summaries, times_to
from naopt.bench.comparison import Comparison
from naopt.bench.crews import ALONE
from naopt.bench.front_summary import summarise_fronts
from naopt.bench.parts import limited, limits_member, origin_counts, surrogates_of
from naopt.bench.simulated_summary import summarise_simulation
from naopt.bench.trials import SearchTrial
from naopt.errors import UnknownNameError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BASELINE = "random"


def summarise_trials(
    comparison: Comparison, trials: Sequence[SearchTrial], against: str | None = None
) -> dict[str, Any]:
    """The document of ``naopt bench --json``.

    Per searcher, aligned with ``checkpoints``: mean, standard deviation and 95 % interval of the report metric over
    trials, the mean of the search metric, and of both the mean simple regret with its interval: the distance to the
    best of the table, never negative. A checkpoint before which some trial has measured nothing holds ``None``. All
    this is of searches with one worker; ``simulated`` holds the others, see ``summarise_simulation``. With limits, what
    breaks one is neither selected nor an optimum, and ``limits`` says which there are; how many queries of each trial
    broke one, and how many architectures were passed over without a query, is said of each searcher.

    Of several objectives see ``summarise_fronts``.

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
    if comparison.several:
        return summarise_fronts(comparison, trials, against)
    by_searcher = {name: [t for t in trials if (t.searcher, t.crew) == (name, ALONE)] for name in comparison.settings}
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
        **limits_member(comparison),
        "optimum": dict(zip(("search_metric", "report_metric"), comparison.optimum, strict=True)),
        "checkpoints": comparison.checkpoints,
        "searchers": {name: _searcher(comparison, name, own) for name, own in by_searcher.items()},
        "against": against,
        "paired": {
            name: {"against": against, **differences(_reported(own), _reported(by_searcher[against]), goal)}
            for name, own in by_searcher.items()
            if against is not None and name != against
        },
        "simulated": summarise_simulation(comparison, trials),
    }


def checkpoint_columns(checkpoints: Sequence[int], columns: int = 3) -> list[int]:
    """Indices of about so many evenly spaced checkpoints, the last among them."""
    step = -(-len(checkpoints) // columns)
    return sorted({*range(step - 1, len(checkpoints), step), len(checkpoints) - 1})


def _searcher(comparison: Comparison, name: str, trials: Sequence[SearchTrial]) -> dict[str, Any]:
    table, (best_searched, best_reported) = comparison.table, comparison.optimum
    reported = summaries(_reported(trials))
    searched = summaries(np.array([trial.search_metric for trial in trials], dtype=np.float64))
    return {
        "mean_report_metric": [s and s.mean for s in reported],
        "std": [s and s.std for s in reported],
        "ci95": [s and list(s.ci95) for s in reported],
        "mean_search_metric": [s and s.mean for s in searched],
        "report_regret": regret(reported, best_reported, table.info(comparison.report_metric).goal),
        "search_regret": regret(searched, best_searched, table.info(comparison.metric).goal),
        **times_to("queries", [trial.queries_to_optimum for trial in trials]),
        "queries_per_trial": [trial.queries for trial in trials],
        "seconds_per_trial": [trial.seconds for trial in trials],
        "searcher_seconds_per_trial": [trial.searcher_seconds for trial in trials],
        "origins": origin_counts(trials),
        **(limited(comparison, trials) if comparison.limits else {}),
        "settings": comparison.settings[name].model_dump(mode="json"),
    }


def _reported(trials: Sequence[SearchTrial]) -> NDArray[np.float64]:
    """``(trials, checkpoints)``, NaN before anything was measured."""
    return np.array([trial.report_metric for trial in trials], dtype=np.float64)
