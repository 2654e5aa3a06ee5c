"""What a run's store survives, and what it costs: ``python -m benchmarks.durability truncate`` and ``speed``."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from naopt.errors import InputError
from naopt.execution.trial import Trial
from naopt.measurement import Measurement
from naopt.spaces import SearchSpace, create_space
from naopt.store.store import RunStore, create_database

RESULTS, PAGE = 50, 512
SPACE = create_space("nasbench201")
Archive = tuple[dict[str, object], list[dict[str, object]], list[Trial], dict[int, Measurement]]

app = typer.Typer(help=__doc__, add_completion=False, pretty_exceptions_enable=False)


def trial(space: SearchSpace, index: int, rng: np.random.Generator) -> Trial:
    """A random proposal, in a round of its own."""
    architecture = space.sample(rng)
    return Trial(index, index, architecture, space.format(architecture), "random", None, float(rng.random()))


def measured(proposed: Trial, rng: np.random.Generator) -> Trial:
    """A random result; a few are failures."""
    if rng.random() < 0.1:
        found = Measurement({}, 1.0, "failed", "it broke", "Traceback: it broke\n" * 3)
    else:
        found = Measurement({"valid_acc": float(rng.random()), "test_acc": float(rng.random())}, float(rng.random()))
    return replace(proposed, measurement=found, place=proposed.index)


def archive(directory: Path, *, writable: bool = False) -> Archive:
    """All that a run holds. Raises ``InputError`` if it is refused."""
    with RunStore(directory / "run.db", writable=writable) as store:
        return store.meta, store.rounds, store.trials(SPACE), store.finalists()


def make_run(directory: Path, merged: int) -> Archive:
    """Makes a run of 50 results, and says what it acknowledged.

    Args:
        directory: of the run.
        merged: how many results stand in the database itself; the others in its write-ahead log alone, as a killed
            process leaves it. If all are merged, the run was closed, and has no log.
    """
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.db"
        create_database(path, {"space": SPACE.name, "seconds": 0.0})
        _pragmas(path, "journal_mode = DELETE", f"page_size = {PAGE}", "VACUUM", "journal_mode = WAL")
        with RunStore(path) as store:
            for index in range(RESULTS):
                if index == merged:
                    _pragmas(path, "wal_checkpoint(RESTART)")
                proposed = trial(SPACE, index, rng)
                store.propose([proposed], {"loss": float(rng.random())})
                store.record(measured(proposed, rng), seconds=float(index))
                if index % 10 == 9:
                    store.record_finalist(index, Measurement({"valid_acc": 1.0}, 9.0), finalist_objective={})
            whole = store.meta, store.rounds, store.trials(SPACE), store.finalists()
            if merged < RESULTS:
                shutil.copytree(folder, directory)
        if merged == RESULTS:
            shutil.copytree(folder, directory)
    return whole


def _pragmas(path: Path, *statements: str) -> None:
    """Small pages, so that there are many of them, and what stands where."""
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement if statement == "VACUUM" else f"PRAGMA {statement}")


def frame_edges(size: int) -> set[int]:
    """Where frames of a write-ahead log of this size end, and a byte before and after."""
    return {edge + by for edge in range(32, size + 1, PAGE + 24) for by in (-1, 0, 1) if 0 <= edge + by < size}


def cut(directory: Path, name: str, sizes: Iterable[int], whole: Archive, *, writable: bool = False) -> Counter[str]:
    """Cuts a file of a run off after each of these numbers of bytes, and opens the run.

    Returns:
        How often it was ``opened`` with all that it acknowledged, ``refused`` with one line and nothing changed, and
        ``wrong``: anything else.
    """
    outcomes: Counter[str] = Counter()
    files = {file.name: file.read_bytes() for file in directory.iterdir() if file.suffix != ".db-shm"}
    for size in sorted(sizes, reverse=True):
        os.truncate(directory / name, size)
        try:
            outcome = "opened" if archive(directory, writable=writable) == whole else "wrong"
        except InputError as error:
            left = {**files, name: files[name][:size]}
            kept = all((directory / other).read_bytes() == data for other, data in left.items())
            outcome = "refused" if "run.db" in str(error) and kept else "wrong"
        outcomes[outcome] += 1
        if writable:
            for other, data in files.items():
                (directory / other).write_bytes(data)
    (directory / name).write_bytes(files[name])
    return outcomes


@app.command()
def truncate(
    every: Annotated[int, typer.Option(help="Cut at every so many bytes.")] = 1,
) -> None:
    """Cuts the database and the log of killed and finished runs of 50 results off at every byte."""
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        for merged in (30, RESULTS):
            directory = Path(folder) / str(merged)
            whole = make_run(directory, merged)
            for name in [name for name in ("run.db", "run.db-wal") if (directory / name).exists()]:
                size = (directory / name).stat().st_size
                for writable, step in ((False, every), (True, 101 * every)):
                    found = cut(directory, name, range(0, size, step), whole, writable=writable)
                    shown = ", ".join(f"{found[outcome]} {outcome}" for outcome in ("opened", "refused", "wrong"))
                    how = f"{merged} merged, {'written' if writable else 'read'}"
                    typer.echo(f"{name} ({size} bytes; {how}): {shown}")
    typer.echo(f"{time.perf_counter() - started:.0f} s")


@app.command()
def speed(results: Annotated[int, typer.Option(help="How many the run has.")] = 100_000) -> None:
    """Times opening and writing of a run with many results."""
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.db"
        create_database(path, {"space": SPACE.name, "seconds": 0.0})
        typer.echo(f"synchronising 4 KiB of a file: {1e3 * _sync_seconds(path.parent / 'probe'):.3f} ms")
        for first, last in ((0, 100), (100, results), (results, results + 1000)):
            begun = time.perf_counter()
            with RunStore(path) as store:
                store.trials(SPACE)
                opened = time.perf_counter() - begun
                seconds = np.zeros(2)
                for index in range(first, last):
                    proposed = trial(SPACE, index, rng)
                    result = measured(proposed, rng)
                    times = [time.perf_counter()]
                    store.propose([proposed], {"loss": 0.5})
                    times.append(time.perf_counter())
                    store.record(result, seconds=float(index))
                    times.append(time.perf_counter())
                    seconds += np.diff(times)
            propose, record = 1e3 * seconds / (last - first)
            costs = f"propose {propose:.3f} ms, record {record:.3f} ms"
            typer.echo(f"results {first} to {last}: opened in {opened:.2f} s; {costs}")


def _sync_seconds(path: Path) -> float:
    with path.open("wb", buffering=0) as file:
        begun = time.perf_counter()
        for _ in range(100):
            file.write(bytes(4096))
            os.fsync(file.fileno())
        return (time.perf_counter() - begun) / 100


if __name__ == "__main__":
    app()
