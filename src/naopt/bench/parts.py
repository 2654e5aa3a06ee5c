"""What the documents of comparisons have in common, of one objective or of several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from naopt.bench.comparison import Comparison
from naopt.bench.trials import SearchTrial
from naopt.tables import Table


def surrogates_of(table: Table, metrics: Sequence[str]) -> dict[str, Any] | None:
    """Which of the metrics a surrogate predicted in some rows, and how; ``None`` if all were measured."""
    found = {name: table.surrogates[name].model_dump(mode="json") for name in metrics if name in table.surrogates}
    return found or None


def limits_member(comparison: Comparison) -> dict[str, Any]:
    """The member ``limits``; nothing where there are none."""
    limits = [{"metric": one.metric, "bound": one.bound, "value": one.value} for one in comparison.limits]
    return {"limits": limits, "rows_within": int(comparison.feasible.sum())} if limits else {}


def limited(comparison: Comparison, trials: Sequence[SearchTrial]) -> dict[str, Any]:
    """How many queries of each trial broke a limit, and how many architectures cost none because they would have."""
    broken = [sum(row is None or not comparison.feasible[row] for row in trial.rows or ()) for trial in trials]
    return {"infeasible_per_trial": broken, "pruned_per_trial": [trial.pruned for trial in trials]}


def origin_counts(trials: Sequence[SearchTrial]) -> dict[str, dict[str, int]]:
    """Queries by origin, and how many of them improved, of all trials together."""
    origins = sorted({origin for trial in trials for origin in trial.origins})
    return {
        origin: {
            "queries": sum(t.origins[origin].queries for t in trials if origin in t.origins),
            "improved": sum(t.origins[origin].improved for t in trials if origin in t.origins),
        }
        for origin in origins
    }
