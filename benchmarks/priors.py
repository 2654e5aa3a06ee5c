"""What prior knowledge earns: columns of a table, alone and together, and what misleading ones cost.

``python -m benchmarks.priors --table FILE --metric M [--report-metric M2] --columns A,B [--strong C] --budget N
--trials K [--searchers nao,gp] [--out DIR]``

Every variant gets the same budget and the same seeds: no prior, each of the columns, all of them, the strong one (an
accuracy after few epochs, say), the same negated, normal noise, and everything but the negated one. Figures are the
queries to the table's best search metric, these against none trial by trial (a trial that did not find it counts as the
budget), and the report metric of the architecture that the search metric selects. ``--variants`` names some of them.
With ``--out`` finished trials are kept in one folder a variant, and the same command goes on where it was stopped; the
table is written there too, as ``priors.md`` and ``priors.json``.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.output import failed, note, publish
from naopt.bench import Comparison, Journal, SearchTrial, run_jobs, run_trial, searcher_settings
from naopt.errors import InputError, NaoptError, UnknownNameError
from naopt.measurement import MetricInfo
from naopt.metrics import censored_median, paired_summary, summarise
from naopt.tables import Table, load_table

NONE, TOGETHER, STRONG, NEGATED, NOISE, EVERYTHING = "none", "together", "strong", "negated", "noise", "everything"
_NEGATED, _NOISE = "prior/negated", "prior/noise"
_SEED, _DRAWS = 0x6E6F6973, 8
"""Of noise there are so many columns, which trials take in turn: one alone may lead astray, or the right way."""

Found = dict[tuple[str, str], list[SearchTrial]]
"""Trials by searcher and variant."""


def with_misleading(table: Table, strong: str | None) -> Table:
    """The table with columns of normal noise, and the strong one negated."""
    rng = np.random.default_rng(_SEED)
    made = {f"{_NOISE}/{number}": rng.standard_normal(len(table)) for number in range(_DRAWS)}
    if strong is not None:
        made[_NEGATED] = -table.values(strong)
    infos = {**table.infos, **dict.fromkeys(made, MetricInfo())}
    return replace(table, metrics={**table.metrics, **made}, infos=infos)


def variants_of(columns: Sequence[str], strong: str | None) -> dict[str, tuple[str, ...]]:
    """Columns by the name of a variant."""
    found: dict[str, tuple[str, ...]] = {NONE: (), **{column: (column,) for column in columns}}
    if len(columns) > 1:
        found[TOGETHER] = tuple(columns)
    if strong is not None:
        found |= {STRONG: (strong,), NEGATED: (_NEGATED,)}
    known = (*columns, *([strong] if strong is not None else []))
    return {**found, NOISE: (_NOISE,), EVERYTHING: (*known, _NOISE)}


def columns_of(columns: Sequence[str], trial: int) -> tuple[str, ...]:
    """Those of a trial."""
    return tuple(f"{_NOISE}/{trial % _DRAWS}" if column == _NOISE else column for column in columns)


def run_variant(base: Comparison, searcher: str, columns: tuple[str, ...], trial: int) -> SearchTrial:
    """One search with some columns, in this process."""
    return run_trial(replace(base, prior_columns=columns_of(columns, trial)), searcher, trial)


def run(base: Comparison, variants: Mapping[str, tuple[str, ...]], workers: int, out: Path | None) -> Found:
    """All trials; those that a folder holds already are not run again."""
    journals: dict[str, Journal] = {}
    done: dict[tuple[str, str, int], SearchTrial] = {}
    for variant, columns in variants.items():
        if out is not None:
            journals[variant] = Journal(
                out / variant.replace("/", "-"), replace(base, prior_columns=columns_of(columns, 0))
            )
            done |= {(trial.searcher, variant, trial.trial): trial for trial in journals[variant].trials}
    keys = [(name, variant, trial) for trial in range(base.trials) for name in base.settings for variant in variants]
    of_label = {f"{name}, {variant}, trial {trial}": (name, variant, trial) for name, variant, trial in keys}
    wanted = {label: key for label, key in of_label.items() if key not in done}
    jobs = {label: (name, variants[variant], trial) for label, (name, variant, trial) in wanted.items()}
    for number, (label, result) in enumerate(run_jobs(run_variant, jobs, workers, (base,)), start=1):
        done[wanted[label]] = result
        if journals:
            journals[wanted[label][1]].append(result)
        note(f"{number}/{len(jobs)} {label}")
    every = range(base.trials)
    return {
        (name, variant): [base.at_checkpoints(done[name, variant, trial]) for trial in every]
        for name in base.settings
        for variant in variants
    }


def summary(base: Comparison, variants: Mapping[str, tuple[str, ...]], found: Found) -> dict[str, Any]:
    """The rows of the table."""
    rows = []
    for (name, variant), trials in found.items():
        values = np.array([trial.report_metric for trial in trials], dtype=np.float64)
        median = censored_median([trial.queries_to_optimum or np.inf for trial in trials])
        capped, without = (_capped(each, base.budget) for each in (trials, found[name, NONE]))
        more = paired_summary(capped, without).difference
        rows.append(
            {
                "searcher": name,
                "variant": variant,
                "columns": list(variants[variant]),
                "optimum_found": median.found,
                "queries_to_optimum": median.median,
                "queries_to_optimum_ci95": list(median.ci95),
                "capped_queries": float(capped.mean()),
                "more_than_none": more.mean,
                "more_than_none_ci95": list(more.ci95),
                "report_metric": [summarise(column).mean for column in values.T],
                "ci95": [list(summarise(column).ci95) for column in values.T],
                "seconds_per_trial": float(np.mean([trial.seconds for trial in trials])),
            }
        )
    return {
        "table": base.table.name,
        "metric": base.metric,
        "report_metric": base.report_metric,
        "budget": base.budget,
        "trials": base.trials,
        "seed": base.seed,
        "queries": base.checkpoints,
        "rows": rows,
    }


def _capped(trials: Sequence[SearchTrial], budget: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.array([trial.queries_to_optimum or budget for trial in trials], dtype=np.float64)


def markdown(document: dict[str, Any]) -> str:
    """The table."""
    budget, points = document["budget"], document["queries"]
    head = ["searcher", "prior", "median queries to the best", "found", "queries more than none"]
    head += [f"{point} queries" for point in points]
    lines = [
        f"{document['table']}: queries to the best {document['metric']}, and {document['report_metric']} of what it "
        f"selects, mean over {document['trials']} trials; [95 % interval].",
        "",
        f"| {' | '.join([*head, 's/trial'])} |",
        "|" + "---|" * (len(head) + 1),
    ]
    for row in document["rows"]:
        median, (low, high) = row["queries_to_optimum"], row["more_than_none_ci95"]
        cells = [row["searcher"], row["variant"], f"> {budget}" if median is None else f"{median:g}"]
        cells += [f"{row['optimum_found']}/{document['trials']}"]
        cells += [f"{row['more_than_none']:+.1f} [{low:.1f}, {high:.1f}]"]
        cells += [f"{mean:.5g}" for mean in row["report_metric"]]
        lines.append(f"| {' | '.join([*cells, format(row['seconds_per_trial'], '.3g')])} |")
    return "\n".join(lines) + "\n"


def chosen(names: str | None, variants: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Variants by a list of names, no prior first; all if there is none. Raises ``UnknownNameError``."""
    if names is None:
        return dict(variants)
    wanted = dict.fromkeys([NONE, *names.split(",")])
    for name in wanted:
        if name not in variants:
            raise UnknownNameError("--variants", name, variants)
    return {name: variants[name] for name in wanted}


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the variants; bad input ends with one line and exit code 2."""
    parser = argparse.ArgumentParser(description="What prior knowledge earns.")
    parser.add_argument("--table", type=Path, required=True)
    parser.add_argument("--metric", required=True)
    parser.add_argument("--report-metric")
    parser.add_argument("--columns", required=True, metavar="A,B", help="what is known before")
    parser.add_argument("--strong", metavar="C", help="a column that tells much")
    parser.add_argument("--searchers", default="nao", metavar="A,B")
    parser.add_argument("--variants", metavar="NAME,NAME", help="some of them; all by default")
    parser.add_argument("--budget", type=int, required=True)
    parser.add_argument("--trials", type=int, required=True)
    parser.add_argument("--every", type=int, default=25, metavar="QUERIES")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--set", action="append", default=[], metavar="[NAME.]KEY=VALUE")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    try:
        table = load_table(options.table)
        for column in filter(None, [*options.columns.split(","), options.strong]):
            table.info(column)
        base = Comparison(
            table=with_misleading(table, options.strong),
            metric=options.metric,
            report_metric=options.report_metric or options.metric,
            settings=searcher_settings(options.searchers.split(","), options.set),
            budget=options.budget,
            trials=options.trials,
            seed=options.seed,
            every=options.every,
        )
        if len(base.problem.objectives) > 1:
            raise InputError("--metric", options.metric, "must be one objective")
        variants = chosen(options.variants, variants_of(options.columns.split(","), options.strong))
        found = run(base, variants, options.workers, options.out)
        document = summary(base, variants, found)
    except NaoptError as error:
        raise failed(error) from error
    publish(document, markdown(document), options.out, "priors", as_json=options.json)


if __name__ == "__main__":
    main()
