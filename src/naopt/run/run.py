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
from typing import TYPE_CHECKING, Any

from naopt._version import __version__
from naopt.errors import InputError, NaoptError, RunStoppedError
from naopt.execution.conversation import Start
from naopt.execution.engine import Engine
from naopt.execution.engines import create_engine
from naopt.execution.interrupt import stop_on_signal
from naopt.execution.local import LocalEngine
from naopt.execution.loop import run_search
from naopt.execution.observer import Observer
from naopt.execution.progress import ProgressBar
from naopt.execution.trial import Trial
from naopt.locking import locked
from naopt.one_shot.candidates import CandidateSearcher
from naopt.run.config import RunConfig
from naopt.run.finalists import train_finalists, wanted_finalists
from naopt.run.kinds import shares_weights
from naopt.run.one_shot_run import SupernetDivergedError, check_supernet, train_supernet
from naopt.run.record import CONFIG, DATABASE, LOCK, RunRecord, load_run
from naopt.run.setup import Setup, prepare
from naopt.run.store import RunStore, create_database
from naopt.values import plain

if TYPE_CHECKING:
    from naopt.searchers import Searcher


def start_run(directory: str | Path, config: RunConfig) -> RunRecord:
    """Begins a search in a directory of its own, which is made complete or not at all, and carries it out.

    Raises:
        InputError: a configuration or data that cannot be used, or a directory that is not empty; nothing was written.
        RunStoppedError: a signal, an interrupted evaluation or a full disk stopped it; ``resume_run`` goes on.
        NaoptError: shared weights diverged too often.
    """
    directory = Path(directory)
    setup = prepare(config, directory)
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        hint = f"; go on with: naopt resume {directory}" if (directory / CONFIG).is_file() else ""
        raise InputError("run", str(directory), f"exists and is not an empty directory{hint}")
    setup.evaluator.check()
    if shares_weights(setup.config.searcher):
        check_supernet(setup)
        _make(directory, setup)
        return _execute_sharing(directory, setup)
    engine = _engine(setup, setup.config.workers)
    _make(directory, setup)
    return _execute(directory, setup, engine)


def resume_run(directory: str | Path, *, workers: int | None = None) -> RunRecord:
    """Goes on until the run's budget is spent, from wherever the run stands; a finished run is left as it is.

    Args:
        directory: of the run.
        workers: instead of the configured number, this time.

    Raises:
        InputError: not a run, one that another process executes, or whose task, table or space is not as it was.
        RunStoppedError, NaoptError: as ``start_run``.
    """
    directory = Path(directory)
    record = load_run(directory)
    _refuse_changes(record)
    if record.finished:
        return record
    setup = prepare(record.config, directory)
    known = [(p["name"], p["choices"]) for p in record.meta["positions"]]
    if (setup.space.name, [(p.name, list(p.choices)) for p in setup.space.positions]) != (record.meta["space"], known):
        raise InputError("run", str(directory), f"space {record.meta['space']} is not as it was when the run began")
    if shares_weights(setup.config.searcher):
        return _execute_sharing(directory, setup, workers)
    return _execute(directory, setup, _engine(setup, workers or setup.config.workers))


_MAY_CHANGE = ("workers", "device", "engine", "timeout")
"""What of a configuration says how a search is carried out, not what is searched."""


def _refuse_changes(record: RunRecord) -> None:
    """What was measured belongs to the configuration that the run began with.

    Raises:
        InputError: ``config.toml`` says something else now.
    """
    began, now = record.meta.get("config", {}), plain(record.config.to_values())
    for key in sorted((began.keys() | now.keys()) - set(_MAY_CHANGE)):
        if began.get(key) != now.get(key):
            rule = f"'{key}' of {CONFIG} was changed since the run began; undo that, or begin another run"
            raise InputError("run", str(record.directory), rule)


def _engine(setup: Setup, workers: int) -> Engine:
    return create_engine(setup.config.engine, setup.evaluator, workers, setup.config.timeout or None)


def _make(directory: Path, setup: Setup) -> None:
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
        "surrogates": sorted(setup.evaluator.surrogates),
        "config": plain(setup.config.to_values()),
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


def _execute(directory: Path, setup: Setup, engine: Engine) -> RunRecord:
    with _stoppable(directory), stop_on_signal(), engine, locked(directory / LOCK, "executed"):
        _measure(directory, setup, engine, setup.searcher())
    return load_run(directory)


def _execute_sharing(directory: Path, setup: Setup, workers: int | None = None) -> RunRecord:
    """Trains the supernet, measures the searcher's candidates with it, and trains the finalists stand-alone."""
    with _stoppable(directory), locked(directory / LOCK, "executed"):
        started, stopped = time.monotonic(), None
        try:
            candidates = _candidates(directory, setup)
        except SupernetDivergedError as error:
            stopped = str(error)
            raise NaoptError(f"run '{directory}': {error}") from None
        finally:
            with RunStore(directory / DATABASE) as store:
                seconds = float(store.meta.get("seconds", 0.0)) + time.monotonic() - started
                store.note(seconds=seconds, stopped=stopped)
        with stop_on_signal(), LocalEngine(setup.evaluator) as engine:
            _measure(directory, setup, engine, candidates)
            with RunStore(directory / DATABASE) as store:
                train_finalists(store, setup, workers or setup.config.workers)
    return load_run(directory)


def _candidates(directory: Path, setup: Setup) -> CandidateSearcher:
    """What proposes the candidates, after training; if they are stored already, nothing is left to be proposed."""
    with RunStore(directory / DATABASE) as store:
        proposed = bool(store.rounds)
    if proposed:
        config = setup.config
        return CandidateSearcher(setup.space, setup.objective, (), seed=config.seed, budget=config.budget)
    return train_supernet(directory, setup)


def _measure(directory: Path, setup: Setup, engine: Engine, searcher: Searcher) -> None:
    budget = setup.config.budget
    with RunStore(directory / DATABASE) as store:
        past = store.trials(setup.space)
        done = [trial for trial in past if trial.measurement is not None]
        with ProgressBar(budget, done, setup.objective) as bar:
            run_search(searcher, engine, budget, observer=_Recorder(store, bar), start=Start(past))


@contextmanager
def _stoppable(directory: Path) -> Iterator[None]:
    """Turns an interrupt into ``RunStoppedError``, which says how far the run is."""
    try:
        yield
    except KeyboardInterrupt:
        record = load_run(directory)
        done = f"stopped after {len(record.evaluated)} of {record.config.budget} evaluations"
        if shares_weights(record.config.searcher) and not record.trials:
            done = "stopped in the training of shared weights"
        elif (wanted := wanted_finalists(record.config)) and len(record.evaluated) == len(record.trials):
            done = f"stopped after {len(record.finalists)} of {wanted} finalists"
        raise RunStoppedError(f"{done}; go on with: naopt resume {directory}") from None


class _Recorder(Observer):
    """Stores first, shows then."""

    def __init__(self, store: RunStore, bar: ProgressBar) -> None:
        self._store, self._bar = store, bar
        self._started, self._before = time.monotonic(), float(store.meta.get("seconds", 0.0))

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
            self._store.record(trial, seconds=self._seconds)
        self._bar.measured(trial)

    def exhausted(self) -> None:
        self._store.note(exhausted=True, seconds=self._seconds)
