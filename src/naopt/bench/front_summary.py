"""Trials with several objectives in figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from naopt.bench.columns import differences, regret, summaries
from naopt.bench.comparison import Comparison
from naopt.bench.front import FrontProgress
from naopt.bench.parts import limited, limits_member, origin_counts, surrogates_of
from naopt.bench.trials import SearchTrial
from naopt.metrics import Summary, attainment, knee

if TYPE_CHECKING:
    from numpy.typing import NDArray

_HALF = 0.5


def summarise_fronts(comparison: Comparison, trials: Sequence[SearchTrial], against: str | None) -> dict[str, Any]:
    """The document of ``naopt bench --json`` for several objectives.

    All figures are on the scale of the table: of each objective 0 is the worst row and 1 the best, and the reference
    point lies at -0.1, if the user has named no other. Only rows that have all objectives and keep all limits count.

    ``objectives`` says for each what the ends of the scale and the reference are in its own unit, ``front`` what the
    table's front is. Per searcher, aligned with ``checkpoints``: mean hypervolume of what was found, its mean share of
    the front's and mean distance to it (hypervolume regret), IGD+ from the front, and the share of the front's
    different points that was found, each with its 95 % interval. For two objectives ``attained`` is the surface that
    half of the trials attain in the end, in the objectives' units. ``paired`` is of hypervolume.

    Args:
        comparison: what was compared.
        trials: all of it.
        against: the searcher that ``paired`` compares the others with.
    """
    table, front = comparison.table, comparison.front
    progress = {
        name: [front.progress(t.rows or (), comparison.checkpoints) for t in trials if t.searcher == name]
        for name in comparison.settings
    }
    volumes = {name: np.array([one.hypervolume for one in own]) for name, own in progress.items()}
    return {
        "table": table.name,
        "surrogate": surrogates_of(table, comparison.problem.metrics),
        "metric": comparison.metric,
        "objectives": _objectives(comparison),
        "scalarise": comparison.scalarisation and str(comparison.scalarisation),
        **limits_member(comparison),
        "budget": comparison.budget,
        "trials": comparison.trials,
        "seed": comparison.seed,
        "rows": int(front.counted.sum()),
        "front": _front(comparison),
        "checkpoints": comparison.checkpoints,
        "searchers": {
            name: _searcher(comparison, name, [t for t in trials if t.searcher == name], own)
            for name, own in progress.items()
        },
        "against": against,
        "paired": {
            name: {"against": against, **differences(own, volumes[against], "max")}
            for name, own in volumes.items()
            if against is not None and name != against
        },
    }


def _objectives(comparison: Comparison) -> list[dict[str, Any]]:
    low, high = comparison.ends
    corner = low + comparison.front.reference * np.where(high > low, high - low, 1.0)
    return [
        {
            "metric": objective.metric,
            "goal": objective.goal,
            "unit": comparison.table.info(objective.metric).unit,
            "worst": objective.sign * float(low[at]),
            "best": objective.sign * float(high[at]),
            "reference": objective.sign * float(corner[at]),
        }
        for at, objective in enumerate(comparison.problem.objectives)
    ]


def _front(comparison: Comparison) -> dict[str, Any]:
    front, table = comparison.front, comparison.table
    names = [objective.metric for objective in comparison.problem.objectives]
    values = np.stack([table.values(name)[front.rows] for name in names], axis=1)
    return {
        "hypervolume": front.hypervolume,
        "points": len(front.distinct),
        "knee": knee(front.points[front.rows]),
        "members": [
            {
                "row": row,
                "architecture": table.space.format(table.architecture(row)),
                "values": dict(zip(names, own, strict=True)),
            }
            for row, own in zip(front.rows.tolist(), values.tolist(), strict=True)
        ],
    }


def _searcher(
    comparison: Comparison, name: str, trials: Sequence[SearchTrial], progress: Sequence[FrontProgress]
) -> dict[str, Any]:
    whole = comparison.front.hypervolume
    volumes = np.array([one.hypervolume for one in progress])
    found = {
        "hypervolume": summaries(volumes),
        "hypervolume_share": summaries(volumes / whole),
        "igd_plus": summaries(np.array([one.igd_plus for one in progress])),
        "front_found": summaries(np.array([one.found for one in progress])),
    }
    return {
        **{key: _mean(own) for key, own in found.items()},
        "hypervolume_regret": regret(found["hypervolume"], whole, "max"),
        **({"attained": _attained(comparison, progress).tolist()} if volumes.size and _flat(comparison) else {}),
        "hypervolume_per_trial": volumes[:, -1].tolist(),
        "queries_per_trial": [trial.queries for trial in trials],
        "seconds_per_trial": [trial.seconds for trial in trials],
        "searcher_seconds_per_trial": [trial.searcher_seconds for trial in trials],
        "origins": origin_counts(trials),
        **(limited(comparison, trials) if comparison.limits else {}),
        "settings": comparison.settings[name].model_dump(mode="json"),
    }


def _flat(comparison: Comparison) -> bool:
    return len(comparison.problem.objectives) == 2


def _mean(found: Sequence[Summary | None]) -> dict[str, Any]:
    return {
        "mean": [s and s.mean for s in found],
        "std": [s and s.std for s in found],
        "ci95": [s and list(s.ci95) for s in found],
    }


def _attained(comparison: Comparison, progress: Sequence[FrontProgress]) -> NDArray[np.float64]:
    low, high = comparison.ends
    signs = np.array([objective.sign for objective in comparison.problem.objectives])
    scores = low + attainment([one.archive for one in progress], _HALF) * np.where(high > low, high - low, 1.0)
    return signs * scores
