"""What a search costs beside its evaluations: ``python -m benchmarks.overhead``.

One trial of ``random`` after another, asked, stored and told one by one, when so many results are there; beside
``RandomSampler`` of Optuna on the same space, with its storages in memory and in SQLite. Evaluations take no time.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import numpy as np
import typer

from naopt.bench.simulated_engine import SimulatedEngine
from naopt.configuration import Settings
from naopt.execution import Observer, Observers, Start, Trial, run_async
from naopt.measurement import Measurement
from naopt.searchers import Objective, RandomSearcher
from naopt.spaces import GenericSpace, Position
from naopt.store import schema
from naopt.store.store import RunStore, create_database

if TYPE_CHECKING:
    from numpy.typing import NDArray

CHOICES, POSITIONS = tuple("0123456789"), 6
SPACE = GenericSpace([Position(f"x{index}", CHOICES) for index in range(POSITIONS)], "overhead")
WARM_UP = 20

app = typer.Typer(help=__doc__, add_completion=False, pretty_exceptions_enable=False)


Times: TypeAlias = "NDArray[np.float64]"
"""``(n, 2)``: seconds that passed, and seconds of the processor."""


class Stopwatch(Observer):
    """Notes when each trial begins."""

    def __init__(self) -> None:
        self._noted: list[tuple[float, float]] = []

    def note(self) -> None:
        """Now."""
        self._noted.append((time.perf_counter(), time.process_time()))

    def asking(self, round_index: int) -> None:  # noqa: ARG002
        """See ``Observer``."""
        self.note()

    @property
    def times(self) -> Times:
        """Between each two notes."""
        found: Times = np.diff(np.array(self._noted), axis=0)
        return found


class Stored(Observer):
    """Stores what happens, as a run does."""

    def __init__(self, store: RunStore) -> None:
        self._store = store

    def proposed(self, trials: Sequence[Trial], log: dict[str, Any]) -> None:
        """See ``Observer``."""
        self._store.propose(trials, log)

    def measured(self, trial: Trial) -> None:
        """See ``Observer``."""
        self._store.record(trial, seconds=1.0)


def past(count: int) -> list[Trial]:
    """So many different measured trials."""
    rng = np.random.default_rng(0)
    found: list[Trial] = []
    for number in rng.permutation(len(CHOICES) ** POSITIONS)[:count].tolist():
        tokens = [number // len(CHOICES) ** place % len(CHOICES) for place in range(POSITIONS)]
        architecture, index = SPACE.architecture(tokens), len(found)
        text, result = SPACE.format(architecture), Measurement({"y": float(rng.random())}, 0.0)
        found.append(Trial(index, index, architecture, text, "random", measurement=result, place=index))
    return found


def of_naopt(trials: Sequence[Trial], count: int, store: RunStore | None = None) -> Times:
    """Times of each of ``count`` trials after those."""
    searcher = RandomSearcher(SPACE, Objective("y"), Settings(), seed=1, budget=len(trials) + count)
    engine = SimulatedEngine(lambda job: Measurement({"y": job.seed / 2**32}), 1, lambda _: 1.0)
    watch = Stopwatch()
    observer = Observers(watch, Stored(store)) if store else watch
    run_async(searcher, engine, len(trials) + count, observer=observer, start=Start(past=trials))
    watch.note()
    return watch.times


def stored(trials: Sequence[Trial], count: int, folder: Path) -> Times:
    """The same, stored in a run's database."""
    path = folder / f"{len(trials)}.db"
    create_database(path, {"space": SPACE.name, "seconds": 0.0})
    with closing(sqlite3.connect(path)) as connection, connection:
        schema.insert(connection, "rounds", [(trial.round, "{}") for trial in trials])
        schema.insert(connection, "proposals", [schema.proposal(trial) for trial in trials])
        rows = [(t.index, *schema.result(t.measurement), t.place) for t in trials if t.measurement is not None]
        schema.insert(connection, "results", rows)
    with RunStore(path) as store:
        return of_naopt(store.trials(SPACE), count, store)


def of_optuna(trials: Sequence[Trial], count: int, folder: Path | None = None) -> Times:
    """Times of each of ``count`` trials of Optuna after so many, in memory or in SQLite."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    path = folder and folder / f"optuna-{len(trials)}.db"
    storage = f"sqlite:///{path}" if path else None
    sampler = optuna.samplers.RandomSampler(seed=1)
    names = [position.name for position in SPACE.positions]
    study = optuna.create_study(storage=storage, sampler=sampler, direction="maximize", study_name="overhead")
    if path is None:
        distributions: dict[str, Any] = dict.fromkeys(names, optuna.distributions.CategoricalDistribution(CHOICES))
        for trial in trials:
            params = dict(zip(names, (CHOICES[token] for token in trial.architecture.tokens), strict=True))
            value = trial.measurement.metrics["y"] if trial.measurement else None
            study.add_trial(optuna.create_trial(params=params, distributions=distributions, value=value))
    rng, watch = np.random.default_rng(0), Stopwatch()

    def cycle() -> None:
        trial = study.ask()
        for name in names:
            trial.suggest_categorical(name, CHOICES)
        study.tell(trial, float(rng.random()))

    if path is not None and storage is not None:
        cycle()
        copy_trials(path, len(trials) - 1)
        study = optuna.load_study(storage=storage, sampler=sampler, study_name="overhead")
    watch.note()
    for _ in range(count):
        cycle()
        watch.note()
    return watch.times


def copy_trials(path: Path, count: int) -> None:
    """Writes the only trial of one of Optuna's databases ``count`` times more; through its storage that takes hours."""
    with closing(sqlite3.connect(path)) as connection, connection:
        for table, own in (("trials", "trial_id"), ("trial_params", "param_id"), ("trial_values", "trial_value_id")):
            columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
            known = connection.execute(f"SELECT * FROM {table}").fetchall()  # noqa: S608
            marks = ",".join("?" * len(columns))
            connection.executemany(
                f"INSERT INTO {table} VALUES ({marks})",  # noqa: S608
                _copies(columns, known, own, count),
            )


def _copies(columns: list[str], rows: list[tuple[Any, ...]], own: str, count: int) -> Iterator[list[Any]]:
    """Rows of further trials, numbered on."""
    for copy in range(1, count + 1):
        for row in rows:
            new = dict(zip(columns, row, strict=True))
            new[own] = new[own] + copy * len(rows)
            if own != "trial_id":
                new["trial_id"] += copy
            if "number" in new:
                new["number"] += copy
            yield list(new.values())


def of_disk(count: int, folder: Path) -> Times:
    """Times of writing 4 KiB to a file and having them on the disk: what each transaction needs at least once."""
    watch = Stopwatch()
    with (folder / "disk").open("wb", buffering=0) as file:
        watch.note()
        for _ in range(count):
            file.write(bytes(4096))
            os.fsync(file.fileno())
            watch.note()
    return watch.times


@app.command()
def main(
    sizes: Annotated[str, typer.Option(help="How many results are there, separated by commas.")] = "100,100000",
    count: Annotated[int, typer.Option(help="Trials that are timed.")] = 200,
    optuna: Annotated[bool, typer.Option(help="Whether Optuna is timed too.")] = True,
) -> None:
    """Milliseconds of a trial that pass (mean, median), and those of the processor (mean), which are surer."""
    for size in map(int, sizes.split(",")):
        trials, timed = past(size), count + WARM_UP
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            kinds: dict[str, Callable[[], Times]] = {
                "naopt, memory": partial(of_naopt, trials, timed),
                "naopt, run.db": partial(stored, trials, timed, folder),
            }
            if optuna:
                kinds["Optuna, memory"] = partial(of_optuna, trials, timed)
                kinds["Optuna, SQLite"] = partial(of_optuna, trials, timed, folder)
            kinds["fsync of 4 KiB"] = partial(of_disk, timed, folder)
            for kind, measure in kinds.items():
                passed, worked = 1e3 * measure()[WARM_UP:].T
                typer.echo(
                    f"{size:>7} results, {kind:<15} mean {passed.mean():8.3f} ms, median {np.median(passed):8.3f}, "
                    f"of the processor {worked.mean():7.3f}"
                )


if __name__ == "__main__":
    app()
