"""Searchers on a real task at equal wall time: what their picks are worth, trained in full and tested once.

``python -m benchmarks.real_searches --task images:runs/photographs --space conv-cell --time 6m --seeds 3
--search nao --search random --search "levels: nao; fidelities=epochs=4" --set finalists=3 --networks resnet-8
--parameters 80000 --out DIR``

For each seed and ``--search`` (a searcher, or ``LABEL: SEARCHER; KEY=VALUE; ...``) one search, on one core, that ends
when its time does, finalists included; then its pick and the baselines are trained alike, all with the same number of
parameters, on the training part by the task's preset of final training (``naopt.baseline``), and tested. Searches and
picks see training and validation data only. Searches take turns seed by seed, so that what slows the machine slows all.
The table's "in the search" is what the pick was measured at there: by the cheap recipe, and chosen by it, so flattered.

The same command goes on where it was stopped, and one for all seeds (``--first-seed``) takes what others for some of
them did. The tables are written to ``DIR`` too, as ``real_searches.md`` and
``real_searches.json``.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.output import failed, note, publish
from naopt.baselines import BaselineTable, baseline
from naopt.cli.merging import merge_values
from naopt.configuration import parse_setting
from naopt.durations import seconds_of
from naopt.errors import InputError, NaoptError
from naopt.metrics import summarise
from naopt.run import RunConfig, RunRecord, open_run
from naopt.run.names import CONFIG
from naopt.run.run import SearchRun
from naopt.run.setup import prepare
from naopt.run.start import new_run
from naopt.values import plain

_PLENTY = 100_000
_HOUR = 3600.0


@dataclass(frozen=True)
class Contestant:
    """A way to search: its name in tables, its searcher, and settings of its own."""

    label: str
    searcher: str
    settings: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Contestant:
        """``SEARCHER`` or ``LABEL: SEARCHER; KEY=VALUE; ...``. Raises ``InputError`` without a searcher."""
        head, *settings = (part.strip() for part in text.split(";"))
        label, colon, searcher = (part.strip() for part in head.partition(":"))
        if not label or (colon and not searcher):
            raise InputError("--search", text, "must be SEARCHER or LABEL: SEARCHER; KEY=VALUE; ...")
        return cls(label, searcher or label, tuple(settings))


def compare(options: argparse.Namespace) -> dict[str, Any]:
    """Carries out what is missing, and gives the document of all.

    Raises:
        InputError: bad options, or a folder of other searches.
        RunStoppedError: it was stopped; the same command goes on.
    """
    for each in options.search:
        prepare(config_of(each, options.seeds[0], options))
    searches: list[dict[str, Any]] = []
    tables: dict[int, BaselineTable] = {}
    for seed in options.seeds:
        for each in options.search:
            directory = options.out / f"{each.label}-{seed}"
            record = carried_out(directory, each, seed, options)
            table = baseline(
                run=directory,
                out=options.out / f"alike-{seed}",
                networks=options.networks,
                parameters=options.parameters,
                preset=options.preset,
                settings=dict(map(parse_setting, options.full)),
                seed=seed,
            )
            tables[seed] = table
            searches.append({"search": each.label, "seed": seed, **of_pick(record, table)})
            note(f"{each.label}, seed {seed}: {searches[-1]}")
    return {
        "settings": {key: getattr(options, key) for key in ("task", "space", "time", "set", "preset", "full")},
        "searches": searches,
        "baselines": [
            {"network": row.name, "seed": seed, **figures(table, row.name)}
            for seed, table in tables.items()
            for row in table.rows
            if row.name in options.networks
        ],
    }


def config_of(each: Contestant, seed: int, options: argparse.Namespace) -> RunConfig:
    """Of a search. Raises ``InputError`` for what it cannot have."""
    flags = {
        "task": options.task, "space": options.space, "searcher": each.searcher, "budget": options.budget, "seed": seed,
        "time": seconds_of(options.time),
    }  # fmt: skip
    return RunConfig.from_values(merge_values({}, flags, [*options.set, *each.settings]))


def carried_out(directory: Path, each: Contestant, seed: int, options: argparse.Namespace) -> RunRecord:
    """A search, begun or gone on with until its time is up."""
    config = config_of(each, seed, options)
    if (directory / CONFIG).is_file():
        run = open_run(directory)
        assert isinstance(run, SearchRun)
        now, was = (plain(each.to_values()) for each in (prepare(config, directory).config, run.state.config))
        for key in {**now, **was}:
            if now.get(key) != was.get(key):
                rule = f"{directory.name} was begun with {key} {was.get(key)}; choose another folder"
                raise InputError("--out", str(options.out), rule)
    else:
        run = new_run(directory, config)
    run.carry_out()
    return run.record


def of_pick(record: RunRecord, table: BaselineTable) -> dict[str, Any]:
    """Of a search: how much it measured, in what time, and what its pick gave."""
    pick = record.best()
    score = None if pick is None or pick.measurement is None else pick.measurement.metrics
    return {
        "evaluations": round(record.spent, 1),
        "finalists": len(record.finalists),
        "seconds": record.seconds,
        "searched": None if score is None else score[record.objective.metric],
        **figures(table, "pick"),
    }


def figures(table: BaselineTable, name: str) -> dict[str, Any]:
    """Of a network, trained in full: its metric on validation and test data, parameters and seconds."""
    row = table.row(name)
    assert row is not None
    return {
        "valid": None if row.valid is None else row.valid.value,
        "test": None if row.test is None else row.test.value,
        "test_error": None if row.test is None else row.test.error,
        "parameters": row.parameters,
        "training_seconds": row.seconds,
        "architecture": row.architecture,
    }


def markdown(document: Mapping[str, Any]) -> str:
    """The tables: means over seeds, and differences to the first search, seed by seed."""
    settings, searches = document["settings"], document["searches"]
    labels = list(dict.fromkeys(row["search"] for row in searches))
    first = {row["seed"]: row["test"] for row in searches if row["search"] == labels[0]}
    hours = math.fsum(row["seconds"] for row in searches) / _HOUR
    common = ", ".join(settings["set"]) or "defaults"
    lines = [
        f"{settings['task']}, {settings['space']}, {settings['time']} each, {common}; "
        f"{len(first)} seeds, {hours:.1f} core-hours of search. Picks and baselines trained alike; mean (95 %).",
        "",
        "| | evaluations | in the search | validation | test | each seed's test | to the first |",
        "|---|---|---|---|---|---|---|",
    ]
    for label in labels:
        rows = [row for row in searches if row["search"] == label]
        done, picked = np.mean([row["evaluations"] for row in rows]), [row["searched"] for row in rows]
        lines.append(f"| `{label}` | {done:.0f} | {'-' if None in picked else _mean(picked)} | {_each(rows, first)}")
    for name in dict.fromkeys(row["network"] for row in document["baselines"]):
        rows = [row for row in document["baselines"] if row["network"] == name]
        lines.append(f"| `{name}` | | | {_each(rows, first)}")
    return "\n".join(lines) + "\n"


def _each(rows: Sequence[Mapping[str, Any]], first: Mapping[int, float]) -> str:
    tests = [row["test"] for row in rows]
    gaps = [row["test"] - first[row["seed"]] for row in rows]
    shown = ", ".join(f"{test:.1f}" for test in tests)
    return f"{_mean([row['valid'] for row in rows])} | {_mean(tests)} | {shown} | {_mean(gaps, '+')} |"


def _mean(values: Sequence[float], sign: str = "") -> str:
    found = summarise(values)
    low, high = found.ci95
    interval = f" ({low:{sign}.1f} to {high:{sign}.1f})" if len(values) > 1 and low != high else ""
    return f"{found.mean:{sign}.1f}{interval}"


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Options of the command line. Raises ``InputError`` for a search that cannot be read."""
    parser = argparse.ArgumentParser(description="Searchers on a real task at equal wall time.")
    parser.add_argument("--task", required=True)
    parser.add_argument("--space", default="conv-cell")
    parser.add_argument("--time", default="10m", help="of each search, its finalists included")
    parser.add_argument("--budget", type=int, default=_PLENTY, help="evaluations, if they end before the time does")
    parser.add_argument("--seeds", type=int, default=3, help="how many")
    parser.add_argument("--first-seed", type=int, default=1, help="so that processes can share the work of one folder")
    parser.add_argument("--search", action="append", required=True, help="SEARCHER, or LABEL: SEARCHER; KEY=VALUE; ...")
    parser.add_argument("--set", action="extend", nargs="+", default=[], metavar="KEY=VALUE", help="of all searches")
    parser.add_argument("--networks", default="resnet-8", help="baselines, separated by commas")
    parser.add_argument("--parameters", type=int, required=True, help="that picks and baselines have at most")
    parser.add_argument("--preset", help="of final training; by default the task's")
    parser.add_argument("--full", nargs="+", default=[], metavar="KEY=VALUE", help="single settings of final training")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    if options.seeds < 1 or options.first_seed < 0:
        parser.error("--seeds must be at least 1, --first-seed at least 0")
    options.search = [Contestant.parse(text) for text in options.search]
    if len({each.label for each in options.search}) < len(options.search):
        raise InputError("--search", ", ".join(each.label for each in options.search), "must have different labels")
    options.seeds = range(options.first_seed, options.first_seed + options.seeds)
    options.networks = options.networks.split(",")
    return options


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the comparison; bad input ends with one line and exit code 2, a stop with 3."""
    try:
        options = parse(arguments)
        document = compare(options)
    except NaoptError as error:
        raise failed(error, code=3) from error
    except KeyboardInterrupt:
        note("stopped; the same command goes on")
        raise SystemExit(3) from None
    publish(document, markdown(document), options.out, "real_searches", as_json=options.json)


if __name__ == "__main__":
    main()
