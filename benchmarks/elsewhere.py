"""What knowledge from another task is worth, and what misleading knowledge costs: queries to the optimum of ``nao``.

``python -m benchmarks.elsewhere --table nasbench201.npz --trials 50 --out DIR``

The table is searched by each of two metrics (``--metrics``), with what the other one says as a history: all of the
table; the 150 queries of a search by it (five searches, a fifth of the trials each); 150 random rows. And with
histories that mislead: all of the other metric negated; negated random rows; shuffled, five times; a column that has
little to do with it (``--unrelated``). The same seeds everywhere; a search ends at the optimum. A difference is that to
no history, trial by trial; a trial that does not find the optimum counts as one query more than the budget. Trials are
kept in one folder a metric, and the same command goes on where it was stopped; the table is written there too, as
``elsewhere.md`` and ``elsewhere.json``.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.output import failed, note, publish
from naopt.api.searching import search
from naopt.bench import Comparison, searcher_settings
from naopt.errors import NaoptError, UnknownNameError
from naopt.files import write_text
from naopt.latent.belief_files import save_beliefs
from naopt.latent.beliefs import Belief
from naopt.metrics import censored_median, paired_summary
from naopt.problem import Objective
from naopt.searchers import make_searcher, searchers
from naopt.spaces import Architecture
from naopt.tables import Table, load_table

_ROWS, _PARTS = 150, 5
_NAO = "nao"

Scores = dict[Architecture, float]


class Sources:
    """Histories for searches by one metric, from another.

    Args:
        table: of both.
        other: the metric that the histories are of.
        unrelated: the column that has little to do with it.
    """

    def __init__(self, table: Table, other: str, unrelated: str) -> None:
        self.table, self.other, self.unrelated = table, other, unrelated

    def _scores(self, metric: str) -> Scores:
        sign = Objective(metric, self.table.info(metric).goal).sign
        values = sign * self.table.values(metric)
        rows = np.flatnonzero(np.isfinite(values)).tolist()
        return {self.table.architecture(row): float(values[row]) for row in rows}

    def whole(self, part: int) -> Scores:  # noqa: ARG002
        """All rows."""
        return self._scores(self.other)

    def searched(self, part: int) -> Scores:
        """What a search by the other metric measured."""
        found = search(None, self.table, objective=self.other, budget=_ROWS, seed=1000 + part)
        scores = self._scores(self.other)
        return {trial.architecture: scores[trial.architecture] for trial in found.record.trials}

    def drawn(self, part: int) -> Scores:
        """Random rows."""
        scores = self._scores(self.other)
        every = list(scores)
        return {every[at]: scores[every[at]] for at in np.random.default_rng(part).permutation(len(every))[:_ROWS]}

    def negated(self, part: int) -> Scores:
        """The worst for the best."""
        return {architecture: -score for architecture, score in self.whole(part).items()}

    def negated_drawn(self, part: int) -> Scores:
        """The same of random rows."""
        return {architecture: -score for architecture, score in self.drawn(part).items()}

    def shuffled(self, part: int) -> Scores:
        """The scores of others."""
        scores = self.whole(part)
        return dict(zip(scores, np.random.default_rng(part).permutation(list(scores.values())).tolist(), strict=True))

    def unlike(self, part: int) -> Scores:  # noqa: ARG002
        """The unrelated column."""
        return self._scores(self.unrelated)


HISTORIES: dict[str, tuple[str, int, Callable[[Sources, int], Scores] | None]] = {
    "none": ("no history", 1, None),
    "whole": ("the other metric, all rows", 1, Sources.whole),
    "searched": ("the other metric, a search of 150 queries", _PARTS, Sources.searched),
    "drawn": ("the other metric, 150 random rows", _PARTS, Sources.drawn),
    "negated": ("misleading: all rows, negated", 1, Sources.negated),
    "negated-drawn": ("misleading: 150 random rows, negated", _PARTS, Sources.negated_drawn),
    "shuffled": ("misleading: all rows, shuffled", _PARTS, Sources.shuffled),
    "unrelated": ("misleading: an unrelated column", 1, Sources.unlike),
}
"""By name what it is, how many there are of the kind, and what makes one."""


def queries(comparison: Comparison, number: int) -> int:
    """How many queries one search needs to the optimum, where it ends; one more than the budget if it needs more."""
    kind, seed = searchers.get(_NAO), comparison.trial_seed(number)
    problem = replace(comparison.problem, priors=comparison.priors)
    settings, budget = comparison.settings[_NAO], comparison.budget
    searcher = make_searcher(kind, comparison.table.space, problem, settings, seed=seed, budget=budget)
    best, asked = comparison.optimum[0], 0
    while asked < budget and (proposals := searcher.ask(budget - asked)):
        for proposal in proposals:
            asked += 1
            row = comparison.table.row(proposal.architecture)
            if row is not None and comparison.searched[row] == best:
                return asked
            searcher.tell(proposal.architecture, comparison.evaluator.evaluate(proposal.architecture, seed))
    return budget + 1


def run(base: Comparison, sources: Sources, name: str, out: Path) -> list[int]:
    """``queries`` of all trials with one kind of history; those that the folder holds already are not run again."""
    _, parts, make = HISTORIES[name]
    kept = out / f"{name}.json"
    found: dict[str, int] = json.loads(kept.read_text()) if kept.is_file() else {}
    for part in range(parts):
        missing = [number for number in range(part, base.trials, parts) if str(number) not in found]
        if not missing:
            continue
        history: tuple[str, ...] = ()
        if make is not None:
            file = out / f"{name}-{part}.safetensors"
            if not file.is_file():
                save_beliefs([Belief.fit(name, base.table.space, make(sources, part), metric=sources.other)], file)
            history = (str(file),)
        comparison = replace(base, history=history)
        for number in missing:
            found[str(number)] = queries(comparison, number)
            write_text(kept, json.dumps(found))
            note(f"{base.metric} {name}, trial {number}: {found[str(number)]}")
    return [found[str(number)] for number in range(base.trials)]


def rows_of(base: Comparison, found: dict[str, list[int]]) -> list[dict[str, Any]]:
    """The table's rows."""
    rows = []
    for name, needed in found.items():
        median = censored_median([count if count <= base.budget else np.inf for count in needed])
        row: dict[str, Any] = {
            "metric": base.metric,
            "history": name,
            "text": HISTORIES[name][0],
            "found": median.found,
            "median": median.median,
            "median_ci95": list(median.ci95),
            "mean": float(np.mean(needed)),
        }
        if "none" in found and name != "none":
            first, second = (np.array(each, dtype=np.float64) for each in (needed, found["none"]))
            difference = paired_summary(first, second).difference
            row |= {"minus_none": difference.mean, "minus_none_ci95": list(difference.ci95)}
        rows.append(row)
    return rows


def markdown(document: dict[str, Any]) -> str:
    """The table."""
    head = ["searched by", "history", "optimum found", "median queries to it [95 %]", "mean", "minus no history"]
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    for row in document["rows"]:
        low, high = ("-" if bound is None else f"{bound:g}" for bound in row["median_ci95"])
        median = f"> {document['budget']}" if row["median"] is None else f"{row['median']:g}"
        minus = "-"
        if "minus_none" in row:
            minus = f"{row['minus_none']:+.1f} [{row['minus_none_ci95'][0]:.1f}, {row['minus_none_ci95'][1]:.1f}]"
        cells = [row["metric"], row["text"], f"{row['found']}/{document['trials']}", f"{median} [{low}, {high}]"]
        lines.append(f"| {' | '.join([*cells, format(row['mean'], '.1f'), minus])} |")
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the searches; bad input ends with one line and exit code 2."""
    parser = argparse.ArgumentParser(description="What knowledge from another task is worth.")
    parser.add_argument("--table", type=Path, required=True)
    parser.add_argument("--metrics", default="valid_acc/cifar10,valid_acc/cifar100", metavar="A,B")
    parser.add_argument("--unrelated", default="energy_mj/pi5-torchmobile", metavar="COLUMN")
    parser.add_argument("--budget", type=int, default=150)
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--histories", default=",".join(HISTORIES), metavar="NAME,NAME")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    rows = []
    try:
        names = options.histories.split(",")
        for name in names:
            if name not in HISTORIES:
                raise UnknownNameError("--histories", name, HISTORIES)
        table = load_table(options.table)
        metrics = options.metrics.split(",")
        for metric, other in zip(metrics, reversed(metrics), strict=True):
            settings = searcher_settings([_NAO])
            base = Comparison(table, metric, metric, settings, options.budget, options.trials)
            out = options.out / metric.replace("/", "-")
            out.mkdir(parents=True, exist_ok=True)
            sources = Sources(table, other, options.unrelated)
            rows += rows_of(base, {name: run(base, sources, name, out) for name in names})
    except NaoptError as error:
        raise failed(error) from error
    document = {"table": table.name, "budget": options.budget, "trials": options.trials, "rows": rows}
    publish(document, markdown(document), options.out, "elsewhere", as_json=options.json)


if __name__ == "__main__":
    main()
