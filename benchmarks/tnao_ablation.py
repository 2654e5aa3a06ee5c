"""What each part of TNAO earns: auto-encoder, prediction loss, optimiser and score, all 16 combinations.

``python -m benchmarks.tnao_ablation --table FILE --metric M [--report-metric M2] --budget N --trials K [--out DIR]``

Every combination gets the same budget and the same seeds. Figures are of the report metric of the architecture that
the search metric selects: mean and 95 % bootstrap interval over trials. The effect of a part is, trial by trial, the
mean over the eight combinations with TNAO's choice minus that over the eight with NAO's. With ``--out`` finished trials
are kept in one folder a combination, and the same command goes on where it was stopped; the tables are written there
too, as ``ablation.md`` and ``ablation.json``.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.output import failed, note, publish
from naopt.bench import Comparison, Journal, SearchTrial, compare, searcher_settings
from naopt.configuration import Settings
from naopt.errors import InputError, NaoptError
from naopt.metrics import summarise
from naopt.tables import load_table

PARTS = {
    "encoder": ("lstm", "transformer"),
    "loss": ("mse", "logistic"),
    "optimizer": ("gradient", "swarm"),
    "score": ("raw", "remapped"),
}
"""Each part with the choice of NAO and that of TNAO; the ranking loss is that of ``--loss``."""

Choices = tuple[str, ...]
Trials = dict[Choices, list[SearchTrial]]


def combinations(loss: str) -> list[Choices]:
    """All 16, NAO's choices first."""
    return list(product(*({**PARTS, "loss": ("mse", loss)}.values())))


def settings_of(choices: Choices, assignments: Sequence[str]) -> dict[str, Settings]:
    """Settings of ``tnao`` with the choices; they win over the assignments."""
    chosen = [f"{part}={choice}" for part, choice in zip(PARTS, choices, strict=True)]
    return searcher_settings(["tnao"], [*assignments, *chosen])


def run(comparisons: dict[Choices, Comparison], workers: int, out: Path | None, note: Callable[[str], None]) -> Trials:
    """All trials of all combinations; those that a folder holds already are not run again."""
    found: Trials = {}
    for number, (choices, comparison) in enumerate(comparisons.items(), start=1):
        journal = Journal(out / "-".join(choices), comparison) if out else None
        done = [trial for trial in journal.trials if trial.trial < comparison.trials] if journal else []
        found[choices] = compare(comparison, workers, done, journal.append if journal else lambda _: None)
        note(f"{number}/{len(comparisons)} {' '.join(choices)}")
    return found


def finals(trials: Sequence[SearchTrial]) -> list[float]:
    """The report metric at the end of each trial.

    Raises:
        InputError: a trial in which nothing was measured.
    """
    values = [trial.report_metric[-1] for trial in trials]
    if None in values:
        raise InputError("budget", trials[0].queries, "a trial met no row with the metric; choose a larger one")
    return [value for value in values if value is not None]


def summary(comparisons: dict[Choices, Comparison], found: Trials) -> dict[str, Any]:
    """The rows of the table and the effects of the parts."""
    first = next(iter(comparisons.values()))
    rows = []
    for choices, trials in found.items():
        total = summarise(finals(trials))
        queries = [trial.queries_to_optimum for trial in trials]
        rows.append(
            {
                **dict(zip(PARTS, choices, strict=True)),
                "mean": total.mean,
                "std": total.std,
                "ci95": list(total.ci95),
                "queries_to_optimum": queries,
                "optimum_found": sum(value is not None for value in queries),
                "seconds_per_trial": float(np.mean([trial.seconds for trial in trials])),
                "origins": _origins(trials),
            }
        )
    info = first.table.info(first.report_metric)
    return {
        "table": first.table.name,
        "metric": first.metric,
        "report_metric": first.report_metric,
        "goal": info.goal,
        "unit": info.unit,
        "budget": first.budget,
        "trials": first.trials,
        "seed": first.seed,
        "rows": rows,
        "effects": {part: effect(found, index) for index, part in enumerate(PARTS)},
        "settings": {"-".join(c): comparisons[c].settings["tnao"].model_dump(mode="json") for c in found},
    }


def effect(found: Trials, part: int) -> dict[str, Any]:
    """Report metric with TNAO's choice of a part minus that with NAO's, paired by seed and over all else the same."""
    old, new = dict.fromkeys(choices[part] for choices in found)
    means = [
        np.mean([finals(trials) for c, trials in found.items() if c[part] == choice], axis=0) for choice in (old, new)
    ]
    difference = summarise(means[1] - means[0])
    return {"from": old, "to": new, "mean_difference": difference.mean, "ci95": list(difference.ci95)}


def markdown(document: dict[str, Any]) -> str:
    """Both tables."""
    unit = f" ({document['unit']})" if document["unit"] else ""
    trials, budget = document["trials"], document["budget"]
    lines = [
        f"{document['table']}: {document['report_metric']}{unit} of the architecture selected by {document['metric']} "
        f"after {budget} queries, mean and 95 % interval over {trials} trials.",
        "",
        "| encoder | loss | optimizer | score | mean | 95 % interval | optimum | median queries to it | s/trial |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in document["rows"]:
        reached = sorted(np.inf if q is None else q for q in row["queries_to_optimum"])
        median = float(np.median(reached)) if np.isfinite(reached[len(reached) // 2]) else np.inf
        shown = f"{median:g}" if np.isfinite(median) else f"> {budget}"
        lines.append(
            f"| {' | '.join(row[part] for part in PARTS)} | {row['mean']:.4g} | {_interval(row['ci95'])} "
            f"| {row['optimum_found']}/{trials} | {shown} | {row['seconds_per_trial']:.3g} |"
        )
    goal = "larger is better" if document["goal"] == "max" else "smaller is better"
    lines += [
        "",
        f"Effect of each part ({goal}), all else the same:",
        "",
        "| part | from | to | mean difference | 95 % interval |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {part} | {found['from']} | {found['to']} | {found['mean_difference']:+.3g} | {_interval(found['ci95'])} |"
        for part, found in document["effects"].items()
    ]
    return "\n".join(lines) + "\n"


def _interval(bounds: Sequence[float]) -> str:
    return f"[{bounds[0]:.4g}, {bounds[1]:.4g}]"


def _origins(trials: Sequence[SearchTrial]) -> dict[str, dict[str, int]]:
    names = sorted({origin for trial in trials for origin in trial.origins})
    return {
        name: {
            "queries": sum(t.origins[name].queries for t in trials if name in t.origins),
            "improved": sum(t.origins[name].improved for t in trials if name in t.origins),
        }
        for name in names
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the ablation; bad input ends with one line and exit code 2."""
    parser = argparse.ArgumentParser(description="Ablation of TNAO: 16 combinations, equal queries.")
    parser.add_argument("--table", type=Path, required=True)
    parser.add_argument("--metric", required=True)
    parser.add_argument("--report-metric")
    parser.add_argument("--budget", type=int, required=True)
    parser.add_argument("--trials", type=int, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--loss", choices=("logistic", "hinge", "listmle", "bpr"), default="logistic")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of all combinations")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    try:
        table = load_table(options.table)
        comparisons = {
            choices: Comparison(
                table=table,
                metric=options.metric,
                report_metric=options.report_metric or options.metric,
                settings=settings_of(choices, options.set),
                budget=options.budget,
                trials=options.trials,
                seed=options.seed,
            )
            for choices in combinations(options.loss)
        }
        found = run(comparisons, options.workers, options.out, note)
        document = summary(comparisons, found)
    except NaoptError as error:
        raise failed(error) from error
    publish(document, markdown(document), options.out, "ablation", as_json=options.json)


if __name__ == "__main__":
    main()
