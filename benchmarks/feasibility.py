"""Searches in which much cannot be measured: how many queries that costs, and what is found all the same.

``python -m benchmarks.feasibility --table nasbench201.npz --metric valid_acc/cifar10 --limit params_m=0.4
--searchers nao,gp,random --budget 100 --trials 20``

An architecture whose ``--limit`` metrics are not all at most the given value fails, and no searcher knows why. With
``--crashes`` that share of the queries fails besides, whatever is asked for: such failures teach nothing, and should
bend no search. For each searcher: queries that could not be measured because of a limit, the metric of the best
architecture that could, after half and all of the budget, and in how many trials it is the best that the limits allow.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.output import failed, note, publish
from naopt.bench import run_jobs, searcher_settings
from naopt.bench.settings import searcher_name
from naopt.configuration import Settings
from naopt.errors import InputError, NaoptError
from naopt.evaluators.table import TableEvaluator
from naopt.measurement import STATUSES, Measurement, Status
from naopt.metrics import summarise
from naopt.searchers import Objective, searchers
from naopt.spaces import Architecture
from naopt.tables import Table, load_table


@dataclass(frozen=True)
class Limited:
    """A table of which only a part can be measured.

    Attributes:
        table: where measurements come from.
        metric: what is searched by.
        limits: the most that an architecture may have, by metric.
        status: how a measurement ends that a limit forbids.
        crashes: share of all queries that fail for no reason.
        settings: of the searchers, by what they are called in the table.
        budget: queries.
    """

    table: Table
    metric: str
    limits: dict[str, float]
    status: Status
    crashes: float
    settings: dict[str, Settings]
    budget: int

    def allows(self) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Which rows may be measured."""
        within = [self.table.values(name) <= most for name, most in self.limits.items()]
        return np.asarray(np.all(within, axis=0), dtype=np.bool_)

    def best(self) -> float:
        """The best value of the metric within the limits."""
        values = self.table.values(self.metric)[self.allows()]
        return float(np.nanmax(values) if self.goal == "max" else np.nanmin(values))

    @property
    def goal(self) -> str:
        """Which direction of the metric is better."""
        return self.table.info(self.metric).goal


@dataclass(frozen=True)
class Outcome:
    """One search.

    Attributes:
        forbidden: queries that a limit forbade.
        half: the best value after half of the budget; ``nan`` if there was none.
        whole: after all of it.
        found: whether that is the best that the limits allow.
    """

    forbidden: int
    half: float
    whole: float
    found: bool


def search(limited: Limited, name: str, trial: int) -> Outcome:
    """One search, one query after the other."""
    evaluator = TableEvaluator(limited.table, [limited.metric])
    objective = Objective(limited.metric, limited.table.info(limited.metric).goal)
    searcher = searchers.get(searcher_name(name))(
        evaluator.space, objective, limited.settings[name], seed=trial, budget=limited.budget
    )
    allowed, crashes = limited.allows(), np.random.default_rng([trial, 1])
    forbidden = queries = 0
    best: list[float] = []

    def measured(architecture: Architecture) -> Measurement:
        row = limited.table.row(architecture)
        assert row is not None
        if not allowed[row]:
            return Measurement(status=limited.status, reason="over the limit")
        if crashes.random() < limited.crashes:
            return Measurement(status="failed", reason="crashed")
        return evaluator.evaluate(architecture, trial)

    while queries < limited.budget:
        proposals = searcher.ask(limited.budget - queries)
        if not proposals:
            break
        for proposal in proposals:
            found = measured(proposal.architecture)
            searcher.tell(proposal.architecture, found)
            queries += 1
            forbidden += found.reason == "over the limit"
            score = objective.score(found)
            best.append(max([*best[-1:], -np.inf if score is None else score]))
    sign = 1 if objective.goal == "max" else -1
    half, whole = sign * best[limited.budget // 2 - 1], sign * best[-1]
    return Outcome(forbidden, half, whole, whole == limited.best())


def run(limited: Limited, trials: int, workers: int) -> dict[str, list[Outcome]]:
    """All searches, by searcher."""
    jobs = {f"{name}, trial {trial}": (name, trial) for trial in range(trials) for name in limited.settings}
    done = {}
    for number, (label, outcome) in enumerate(run_jobs(search, jobs, workers, (limited,)), start=1):
        done[jobs[label]] = outcome
        note(f"{number}/{len(jobs)} {label}: {outcome.forbidden} forbidden, {outcome.whole:.3f}")
    return {name: [done[name, trial] for trial in range(trials)] for name in limited.settings}


def summary(limited: Limited, found: dict[str, list[Outcome]]) -> dict[str, Any]:
    """Means and 95 % intervals by searcher."""
    rows = []
    for name, outcomes in found.items():
        row: dict[str, Any] = {"searcher": name, "found": sum(outcome.found for outcome in outcomes)}
        for field in ("forbidden", "half", "whole"):
            figures = summarise(np.array([getattr(outcome, field) for outcome in outcomes], dtype=np.float64))
            row |= {field: figures.mean, f"{field}_ci95": list(figures.ci95)}
        rows.append(row)
    return {
        "table": limited.table.name,
        "metric": limited.metric,
        "limits": limited.limits,
        "status": limited.status,
        "crashes": limited.crashes,
        "budget": limited.budget,
        "trials": len(next(iter(found.values()))),
        "allowed_share": float(limited.allows().mean()),
        "optimum": limited.best(),
        "rows": rows,
    }


def markdown(document: dict[str, Any]) -> str:
    """The table."""
    limits = ", ".join(f"{name} <= {most:g}" for name, most in document["limits"].items())
    head = [
        "searcher",
        "forbidden queries",
        f"after {document['budget'] // 2}",
        f"after {document['budget']}",
        "optimum",
    ]
    lines = [
        f"{document['table']}: {document['metric']}, {limits} ({100 * document['allowed_share']:.1f} % of the rows; "
        f"optimum {document['optimum']:.5g}), status {document['status']}, {100 * document['crashes']:g} % crashes; "
        f"{document['trials']} trials.",
        "",
        f"| {' | '.join(head)} |",
        "|" + "---|" * len(head),
    ]
    for row in document["rows"]:
        cells = [
            f"{row[field]:.4g} ({row[f'{field}_ci95'][0]:.4g} to {row[f'{field}_ci95'][1]:.4g})"
            for field in ("forbidden", "half", "whole")
        ]
        lines.append(f"| {' | '.join([row['searcher'], *cells, str(row['found'])])} |")
    return "\n".join(lines) + "\n"


def parsed_limits(table: Table, texts: Sequence[str]) -> dict[str, float]:
    """Limits by metric from ``METRIC=VALUE``.

    Raises:
        InputError: no number, an unknown metric, or limits that nothing meets.
    """
    limits: dict[str, float] = {}
    for text in texts:
        name, _, value = text.rpartition("=")
        table.info(name)
        try:
            limits[name] = float(value)
        except ValueError as error:
            raise InputError("--limit", text, "must be METRIC=NUMBER") from error
    return limits


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the searches; bad input ends with one line and exit code 2."""
    parser = argparse.ArgumentParser(description="Searches in which much cannot be measured.")
    parser.add_argument("--table", type=Path, required=True)
    parser.add_argument("--metric", required=True)
    parser.add_argument("--limit", action="append", required=True, metavar="METRIC=MOST")
    parser.add_argument("--status", choices=[status for status in STATUSES if status != "ok"], default="invalid")
    parser.add_argument("--crashes", type=float, default=0.0, help="share of the queries that fail for no reason")
    parser.add_argument("--searchers", default="nao,random")
    parser.add_argument("--budget", type=int, required=True)
    parser.add_argument("--trials", type=int, required=True)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    try:
        table = load_table(options.table)
        table.info(options.metric)
        limited = Limited(
            table=table,
            metric=options.metric,
            limits=parsed_limits(table, options.limit),
            status=options.status,
            crashes=options.crashes,
            settings=searcher_settings(options.searchers.split(","), options.set),
            budget=options.budget,
        )
        if not limited.allows().any():
            raise InputError("--limit", json.dumps(limited.limits), "nothing in the table meets it")
        document = summary(limited, run(limited, options.trials, options.workers))
    except NaoptError as error:
        raise failed(error) from error
    publish(document, markdown(document), options.out, "feasibility", as_json=options.json)


if __name__ == "__main__":
    main()
