"""What cheaper versions of an evaluation earn: what it costs to reach what full evaluations alone reach.

``python -m benchmarks.fidelities --table FILE --fidelities A,B,M [--fidelity-costs N,N,N] [--searchers nao,asha,...]
[--budget N] [--single-budget N] [--trials K] [--out DIR]``

The yardstick is ``--single`` (``nao``) with full evaluations only, ``--single-budget`` (100) of them. All others have
the levels, and ``--budget``, in full evaluations; trial ``k`` has the same seed everywhere. Figures are the search
metric of what is selected at several costs, mean and 95 % interval over the trials; the cost at which that mean reaches
the mean of the yardstick at its end; in how many trials the searcher reaches what the yardstick's own trial has at its
end, and the median cost of that. With ``--out`` finished trials are kept, and the same command goes on where it was
stopped; the table is written there too, as ``fidelities.md`` and ``fidelities.json``.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.output import failed, note, publish
from naopt.bench import Comparison, Journal, SearchTrial, compare, searcher_settings
from naopt.errors import NaoptError
from naopt.metrics import censored_median, summarise
from naopt.tables import load_table

if TYPE_CHECKING:
    from numpy.typing import NDArray

_DEFAULT = "nao,successive-halving,hyperband,asha,bohb"
_SHOWN = (0.1, 0.15, 0.2, 0.25, 0.5, 1.0)
"""Shares of the yardstick's budget that a row shows, as far as its own goes, and once all trials have something."""


def run(comparison: Comparison, workers: int, out: Path | None) -> list[SearchTrial]:
    """All trials of a comparison; those that a folder holds already are not run again."""
    journal = Journal(out, comparison) if out is not None else None
    done = journal.trials if journal else []

    def keep(trial: SearchTrial) -> None:
        if journal:
            journal.append(trial)
        note(f"{trial.searcher}, trial {trial.trial}")

    return compare(comparison, workers, list(done), keep)


def curves(comparison: Comparison, trials: Sequence[SearchTrial]) -> NDArray[np.float64]:
    """The search metric of what is selected, larger is better, after 1, 2 ... full evaluations ``(trials, budget)``."""
    sign = comparison.problem.objective.sign
    found = np.full((len(trials), comparison.budget), np.nan)
    for row, trial in zip(found, trials, strict=True):
        for cost, table_row in trial.selected:
            row[cost - 1 :] = sign * comparison.searched[table_row]
    return found


def reached(curve: NDArray[np.float64], value: float) -> int | None:
    """The first cost at which a curve ``(budget,)`` is at least a value, but for rounding; ``None`` for never."""
    at = np.flatnonzero(curve >= value - 1e-9)
    return int(at[0]) + 1 if len(at) else None


def summary(
    single: Comparison, yardstick: Sequence[SearchTrial], several: Comparison, found: Sequence[SearchTrial]
) -> dict[str, Any]:
    """The rows of the table; of each searcher one, the yardstick first."""
    sign, goal = several.problem.objective.sign, curves(single, yardstick)
    ends, points = goal[:, -1], list(dict.fromkeys(max(1, round(share * single.budget)) for share in _SHOWN))
    rows = [_row(f"{yardstick[0].searcher}, full only", goal, ends, points, sign)]
    for name in several.settings:
        mine = [trial for trial in found if trial.searcher == name]
        rows.append(_row(name, curves(several, mine), ends, points, sign))
        rows[-1]["seconds_per_trial"] = float(np.mean([trial.seconds for trial in mine]))
        rows[-1]["evaluations"] = float(np.mean([trial.queries for trial in mine]))
    assert several.problem.fidelity is not None
    return {
        "table": several.table.name,
        "metric": several.metric,
        "fidelities": dict(zip(several.problem.fidelity.metrics, several.problem.fidelity.costs, strict=True)),
        "optimum": several.optimum[0],
        "trials": several.trials,
        "seed": several.seed,
        "budget": several.budget,
        "single_budget": single.budget,
        "goal": sign * float(ends.mean()),
        "costs": points,
        "rows": rows,
    }


def _row(
    name: str, found: NDArray[np.float64], ends: NDArray[np.float64], points: Sequence[int], sign: int
) -> dict[str, Any]:
    inside = [point for point in points if point <= found.shape[1]]
    known = [point for point in inside if np.isfinite(found[:, point - 1]).all()]
    at = {point: summarise(sign * found[:, point - 1]) for point in known}
    own = [reached(curve, end) for curve, end in zip(found, ends, strict=True)]
    median = censored_median([np.inf if cost is None else cost for cost in own])
    return {
        "searcher": name,
        "means": {point: each.mean for point, each in at.items()},
        "ci95": {point: list(each.ci95) for point, each in at.items()},
        "cost_of_mean": reached(found.mean(axis=0), float(ends.mean())),
        "reached": median.found,
        "median_cost": median.median,
        "median_cost_ci95": list(median.ci95),
    }


def markdown(document: dict[str, Any]) -> str:
    """The table."""
    levels = ", ".join(f"{name} {cost:.3g}" for name, cost in document["fidelities"].items())
    head = ["searcher", *(f"cost {cost}" for cost in document["costs"]), "mean reaches the goal", "trials that do"]
    best = f"best {document['optimum']:.4f}"
    lines = [
        f"{document['table']}, levels and costs {levels}: {document['metric']} of what is selected, mean over "
        f"{document['trials']} trials [95 % interval]; costs in full evaluations. Goal: what full evaluations alone "
        f"have after {document['single_budget']}, mean {document['goal']:.4f} ({best}).",
        "",
        f"| {' | '.join([*head, 'median cost'])} |",
        "|" + "---|" * (len(head) + 1),
    ]
    for row in document["rows"]:
        cells = [row["searcher"], *(_shown(row, cost) for cost in document["costs"])]
        cells += [_cost(row["cost_of_mean"]), f"{row['reached']}/{document['trials']}", _cost(row["median_cost"])]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _shown(row: dict[str, Any], cost: int) -> str:
    if cost not in row["means"]:
        return ""
    low, high = row["ci95"][cost]
    return f"{row['means'][cost]:.3f} [{low:.3f}, {high:.3f}]"


def _cost(value: float | None) -> str:
    return "-" if value is None else f"{value:g}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the trials; bad input ends with one line and exit code 2."""
    parser = argparse.ArgumentParser(description="What cheaper versions of an evaluation earn.")
    parser.add_argument("--table", type=Path, required=True)
    parser.add_argument("--fidelities", required=True, metavar="A,B,M")
    parser.add_argument("--fidelity-costs", metavar="N,N,N")
    parser.add_argument("--searchers", default=_DEFAULT, metavar="A,B")
    parser.add_argument("--single", default="nao", metavar="A")
    parser.add_argument("--budget", type=int, default=100)
    parser.add_argument("--single-budget", type=int, default=100)
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--set", action="append", default=[], metavar="[NAME.]KEY=VALUE")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    try:
        levels = tuple(options.fidelities.split(","))
        costs = tuple(map(float, options.fidelity_costs.split(","))) if options.fidelity_costs else ()
        single = Comparison(
            table=load_table(options.table),
            metric=levels[-1],
            report_metric=levels[-1],
            settings=searcher_settings([options.single]),
            budget=options.single_budget,
            trials=options.trials,
            seed=options.seed,
        )
        several = replace(
            single,
            settings=searcher_settings(options.searchers.split(","), options.set),
            budget=options.budget,
            fidelities=levels,
            fidelity_costs=costs,
        )
        folders = [None if options.out is None else options.out / name for name in ("single", "several")]
        yardstick = run(single, options.workers, folders[0])
        found = run(several, options.workers, folders[1])
        document = summary(single, yardstick, several, found)
    except NaoptError as error:
        raise failed(error) from error
    publish(document, markdown(document), options.out, "fidelities", as_json=options.json)


if __name__ == "__main__":
    main()
