"""Searches that are killed at random moments, and what of them is there afterwards."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import typer

from naopt.evaluators.base import Evaluator
from naopt.execution import Observer, Trial
from naopt.measurement import Measurement, MetricInfo
from naopt.run import RunConfig, load_run, resume_run, start_run
from naopt.spaces import Architecture, GenericSpace, integer

SEARCHES, KILLS = 20, 100
_TINY = {"epochs": 1, "filters": 2, "train_limit": 40, "valid_limit": 40, "batch_size": 20}
_NAO = {"unlabelled": 50, "pretraining_steps": 5, "initial": 10}
_START = 60.0
"""Seconds that a search may take to begin, on a machine that is busy."""


class Function(Evaluator):
    """A function of four choices that takes a while, and sometimes fails."""

    default_metric = "score"

    def __init__(self) -> None:
        self.space = GenericSpace(
            {"a": integer(0, 9), "b": integer(0, 9), "c": [True, False], "d": ["x", None]}, "kill"
        )
        self.metrics = {"score": MetricInfo("max")}

    def evaluate(self, architecture: Architecture, seed: int) -> Measurement:
        """The score depends on the seed too."""
        a, b, c, d = architecture.tokens
        time.sleep(0.02 + 0.01 * (seed % 4))
        if (a + b) % 7 == 6:
            raise ValueError(f"{a} and {b} do not go together")
        return Measurement({"score": a * b + c - d + seed % 1000 / 1e4}, 0.02)


class Acknowledged(Observer):
    """Writes a line for every result once it is stored; what is written survives the process.

    Args:
        path: of the file.
        pause: seconds after each, where evaluations take no time.
    """

    def __init__(self, path: Path, pause: float) -> None:
        self._file, self._pause = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644), pause

    def measured(self, trial: Trial) -> None:
        """See ``Observer``."""
        os.write(self._file, (json.dumps(_row(trial)) + "\n").encode())
        time.sleep(self._pause)


def _row(trial: Trial) -> list[Any]:
    found = trial.measurement
    assert found is not None
    return [trial.index, list(trial.architecture.tokens), trial.origin, found.status, found.reason, dict(found.metrics)]


@dataclass
class Search:
    """One search of the benchmark.

    Attributes:
        kind: what measures: ``table``, ``function`` or ``training``.
        config: of the search.
        kills: how often it was killed.
        acknowledged: how many results it had acknowledged before its last kill.
        lost: how many of them were missing or other ones after a kill.
        equal: whether its archive is that of a search that was not killed; ``None`` where it need not be.
    """

    kind: str
    config: RunConfig
    kills: int = 0
    acknowledged: int = 0
    lost: int = 0
    equal: bool | None = field(default=None)


def searches() -> Iterator[Search]:
    """Twenty of them: half with rounds, half asynchronous."""
    for schedule in ("rounds", "async"):
        common: dict[str, Any] = {"search_schedule": schedule, "budget": 60}
        for seed, searcher in enumerate(("nao", "evolution", "tpe", "local-search")):
            values = {**common, "seed": seed, "table": "digits-nao11", "searcher": {"name": searcher}, "workers": 2}
            if searcher == "nao":
                values |= {"searcher": {"name": "nao", **_NAO}, "budget": 40}
            yield Search("table", RunConfig.from_values(values))
        for seed, searcher in enumerate(("random", "evolution", "tpe", "local-search")):
            values = {**common, "seed": seed, "function": "kill", "searcher": searcher, "workers": 2}
            yield Search("function", RunConfig.from_values(values))
        for seed in range(2):
            values = {**common, "seed": seed, "task": "digits", "searcher": "random", "workers": 2, "budget": 20}
            values |= {"space": {"name": "conv-cell", "nodes": 2}, "training": _TINY}
            yield Search("training", RunConfig.from_values(values))


def child(directory: str, kind: str, values: str, acknowledged: str) -> None:
    """Begins the search in a directory, or goes on with it."""
    evaluator = Function() if kind == "function" else None
    observers = [Acknowledged(Path(acknowledged), 0.02 if kind == "table" else 0.0)]
    if Path(directory).exists():
        resume_run(directory, evaluator=evaluator, observers=observers)
    else:
        start_run(directory, RunConfig.from_values(json.loads(values)), evaluator=evaluator, observers=observers)


def begin(search: Search, directory: Path) -> subprocess.Popen[bytes]:
    """The process of ``child``, with a process group of its own."""
    arguments = [str(directory), search.kind, json.dumps(search.config.to_values()), f"{directory}.log"]
    code = f"from benchmarks.kills import child; child(*{arguments!r})"
    return subprocess.Popen(  # noqa: S603
        [sys.executable, "-c", code], stderr=subprocess.DEVNULL, start_new_session=True
    )


def acknowledged(directory: Path) -> list[list[Any]]:
    """What the processes of a search said was stored."""
    path = Path(f"{directory}.log")
    lines = path.read_text(encoding="utf-8").split("\n")[:-1] if path.exists() else []
    return [json.loads(line) for line in lines]


def rows(directory: Path) -> list[list[Any]]:
    """What a search has stored, as it would be acknowledged."""
    return (
        [json.loads(json.dumps(_row(trial))) for trial in load_run(directory).evaluated] if directory.exists() else []
    )


def kill(search: Search, directory: Path, chance: np.random.Generator, share: int) -> bool:
    """Lets a search go on, kills it at a random moment, and looks at what is there.

    Args:
        search: is told what was found.
        directory: of the search.
        chance: gives the moment.
        share: how many more results there may be at most before the kill.

    Returns:
        Whether it was killed before it was done.
    """
    before, begun = len(acknowledged(directory)), time.monotonic()
    process = begin(search, directory)
    if chance.random() < 0.3:  # anywhere, from the start of the program on
        time.sleep(chance.uniform(0, 3))
    else:  # amid the search
        wanted = before + int(chance.integers(1, max(share, 1) + 1))
        while process.poll() is None and len(acknowledged(directory)) < wanted and time.monotonic() - begun < _START:
            time.sleep(0.005)
        time.sleep(chance.uniform(0, 0.05))
    done = process.poll() is not None
    if not done:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    said, stored = acknowledged(directory), {row[0]: row for row in rows(directory)}
    search.acknowledged = len(said)
    search.lost += sum(stored.get(row[0]) != row for row in said)
    search.kills += not done
    return not done


def carry_out(search: Search, folder: Path, kills: int, chance: np.random.Generator) -> None:
    """Kills a search so often, lets it end, and compares it with one that was not killed."""
    directory = folder / "killed"
    for count in range(kills):
        left = search.config.budget - len(acknowledged(directory))
        if not kill(search, directory, chance, left // (kills - count + 1)):
            break
    if begin(search, directory).wait() != 0 or len(rows(directory)) != search.config.budget:
        raise RuntimeError(f"a search on a {search.kind} with {search.config.searcher} did not end")
    if search.config.search_schedule == "rounds":
        begin(search, folder / "whole").wait()
        search.equal = rows(directory) == rows(folder / "whole")


def table(found: Sequence[Search]) -> Iterator[str]:
    """What was found, by kind and schedule."""
    yield "measured by  schedule  searches  kills  acknowledged  lost  archives equal"
    keys = list(dict.fromkeys((search.kind, search.config.search_schedule) for search in found))
    for key in keys:
        group = [search for search in found if (search.kind, search.config.search_schedule) == key]
        yield _line(*key, group)
    yield _line("all", "", found)


def _line(kind: str, schedule: str, group: Sequence[Search]) -> str:
    compared = [search.equal for search in group if search.equal is not None]
    numbers = [sum(getattr(search, name) for search in group) for name in ("kills", "acknowledged", "lost")]
    equal = f"{sum(compared)} of {len(compared)}" if compared else "-"
    return (
        f"{kind:<11}  {schedule:<8}  {len(group):>8}  {numbers[0]:>5}  {numbers[1]:>12}  {numbers[2]:>4}  {equal:>14}"
    )


def main(kills: int, seed: int) -> None:
    """Kills twenty searches so often in all."""
    started, chance, found = time.perf_counter(), np.random.default_rng(seed), list(searches())
    for index, search in enumerate(found):
        with tempfile.TemporaryDirectory() as folder:
            carry_out(search, Path(folder), (index + 1) * kills // len(found) - index * kills // len(found), chance)
        typer.echo(f"{index}: {search.kind}, {search.config.searcher}: {search.kills} kills", err=True)
    for line in table(found):
        typer.echo(line)
    typer.echo(f"{time.perf_counter() - started:.0f} s")
