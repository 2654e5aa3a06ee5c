"""A run: one search in one directory, which survives being killed."""

from __future__ import annotations

import platform
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from naopt._version import __version__
from naopt.errors import InputError, RunStoppedError
from naopt.run.config import RunConfig
from naopt.run.executors import create_executor
from naopt.run.interrupt import stop_on_signal
from naopt.run.loop import Observer, run_search
from naopt.run.progress import ProgressBar
from naopt.run.record import CONFIG, DATABASE, LOCK, RunRecord, load_run
from naopt.run.setup import Setup, prepare
from naopt.run.store import RunStore, create_database
from naopt.run.trial import Trial


def create_run(directory: str | Path, config: RunConfig) -> Setup:
    """Makes a run's directory, complete or not at all; nothing is searched yet.

    Raises:
        InputError: a configuration that cannot be used, or a directory that is not empty.
    """
    directory = Path(directory)
    setup = prepare(config)
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        hint = f"; go on with: naopt resume {directory}" if (directory / CONFIG).is_file() else ""
        raise InputError("run", str(directory), f"exists and is not an empty directory{hint}")
    meta = {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {
            "naopt": __version__,
            "python": platform.python_version(),
            "torch": version("torch"),
            "numpy": version("numpy"),
        },
        "platform": platform.platform(),
        "space": setup.space.name,
        "positions": [{"name": p.name, "choices": p.choices, "kind": p.kind} for p in setup.space.positions],
        "objective": {"metric": setup.objective.metric, "goal": setup.objective.goal},
        "metrics": {name: {"goal": info.goal, "unit": info.unit} for name, info in setup.evaluator.metrics.items()},
        "seconds": 0.0,
    }
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f".{directory.name}-", dir=directory.parent))
        try:
            made.chmod(0o755)
            setup.config.write(made / CONFIG)
            create_database(made / DATABASE, meta)
            made.replace(directory)
        except BaseException:
            shutil.rmtree(made)
            raise
    except OSError as error:
        raise InputError("run", str(directory), error.strerror or "cannot be made") from error
    return setup


def execute_run(directory: str | Path, *, workers: int | None = None) -> RunRecord:
    """Searches until the run's budget is spent, from wherever the run stands; a finished run is left as it is.

    Args:
        directory: made by ``create_run``.
        workers: instead of the configured number, this time.

    Raises:
        InputError: not a run, one that another process executes, or whose task, table or space is not as it was.
        RunStoppedError: a signal, an interrupted evaluation or a full disk stopped it; call again to go on.
    """
    directory = Path(directory)
    record = load_run(directory)
    if record.finished:
        return record
    setup = prepare(record.config)
    if setup.space.name != record.meta["space"] or [(p.name, list(p.choices)) for p in setup.space.positions] != [
        (p["name"], p["choices"]) for p in record.meta["positions"]
    ]:
        raise InputError("run", str(directory), f"space {record.meta['space']} is not the same as when it began")
    with _locked(directory), stop_on_signal():
        try:
            _search(directory, setup, workers or setup.config.workers)
        except KeyboardInterrupt:
            done = len(load_run(directory).evaluated)
            raise RunStoppedError(
                f"stopped after {done} of {setup.config.budget} evaluations; go on with: naopt resume {directory}"
            ) from None
    return load_run(directory)


def _search(directory: Path, setup: Setup, workers: int) -> None:
    config = setup.config
    executor = create_executor(config.engine, setup.evaluator, workers, config.timeout or None)
    with RunStore(directory / DATABASE) as store, executor:
        past = store.trials(setup.space)
        done = [trial for trial in past if trial.measurement is not None]
        with ProgressBar(config.budget, done, setup.objective) as bar:
            run_search(setup.searcher(), executor, config.budget, observer=_Recorder(store, bar), past=past)


class _Recorder(Observer):
    """Stores first, shows then."""

    def __init__(self, store: RunStore, bar: ProgressBar) -> None:
        self._store, self._bar = store, bar
        self._started, self._before = time.monotonic(), float(store.meta().get("seconds", 0.0))

    @property
    def _seconds(self) -> float:
        return self._before + time.monotonic() - self._started

    def asking(self, round_index: int) -> None:
        self._bar.asking(round_index)

    def proposed(self, trials: Sequence[Trial], log: dict[str, Any]) -> None:
        self._store.propose(trials, log)
        self._bar.proposed(trials, log)

    def measured(self, trial: Trial) -> None:
        if trial.measurement is not None:
            self._store.record(trial.index, trial.measurement, seconds=self._seconds)
        self._bar.measured(trial)

    def exhausted(self) -> None:
        self._store.note(exhausted=True, seconds=self._seconds)


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    lock = FileLock(directory / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise InputError("run", str(directory), "is being executed by another process") from None
    try:
        yield
    finally:
        lock.release()
