"""The beginning of a search: a directory of its own, made whole or not at all."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from naopt._version import __version__
from naopt.evaluators.base import Evaluator
from naopt.execution.observer import Observer
from naopt.files import at_home, whole_file
from naopt.latent.belief_files import save_beliefs
from naopt.run.config import RunConfig
from naopt.run.contents import CONTENTS
from naopt.run.names import BELIEFS, CONFIG
from naopt.run.place import check_free, made
from naopt.run.record import RunRecord
from naopt.run.run import SearchRun, open_run
from naopt.run.search_state import SearchState
from naopt.run.setup import Setup
from naopt.run.workloads import shape_document
from naopt.spaces import positions_document
from naopt.store.history import Prior
from naopt.store.meta import problem_document
from naopt.store.store import DATABASE, create_database
from naopt.values import plain


def start_run(
    directory: str | Path,
    config: RunConfig,
    *,
    evaluator: Evaluator | None = None,
    observers: Sequence[Observer] = (),
) -> RunRecord:
    """Begins a search in a directory of its own, and carries it out.

    Args:
        directory: where; it is not there, or empty. Made complete or not at all.
        config: of the search.
        evaluator: what measures, where the configuration cannot say: a Python function.
        observers: hear of the search.

    Raises:
        InputError: a configuration or data that cannot be used, or a directory that is not empty; nothing was written.
        RunStoppedError: a signal, an interrupted evaluation or a full disk stopped it; ``resume_run`` goes on.
        NaoptError: shared weights diverged too often.
    """
    run = new_run(directory, config, evaluator=evaluator, observers=observers)
    run.carry_out()
    return run.record


def new_run(
    directory: str | Path,
    config: RunConfig,
    *,
    evaluator: Evaluator | None = None,
    observers: Sequence[Observer] = (),
) -> SearchRun:
    """Makes the directory of a search, which is to be carried out. As ``start_run``."""
    directory = Path(at_home(directory))
    state = SearchState(directory, config, evaluator, observers)
    state.config = state.setup.config
    check_free(directory)
    prior = state.setup.history()
    run = SearchRun(directory, state)
    run.phases[0].check()
    _make(directory, state.setup, prior)
    return run


def resume_run(
    directory: str | Path,
    *,
    workers: int | None = None,
    time: float | None = None,
    evaluator: Evaluator | None = None,
    observers: Sequence[Observer] = (),
) -> RunRecord:
    """Goes on until the run's budget is spent, from wherever the run stands; a finished run is left as it is.

    Args:
        directory: of the run.
        workers: instead of the configured number, this time.
        time: limit of the whole search in seconds, instead of the configured one.
        evaluator: of a search that was begun with one.
        observers: hear of the search.

    Raises:
        InputError: not a run, one that another process executes, or whose task, table or space is not as it was.
        RunStoppedError, NaoptError: as ``start_run``.
    """
    run = open_run(directory, workers=workers, time=time, evaluator=evaluator, observers=observers)
    run.carry_out()
    return run.record


def _make(directory: Path, setup: Setup, prior: Sequence[Prior]) -> None:
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
        "positions": positions_document(setup.space),
        **problem_document(setup.problem),
        "metrics": {name: {"goal": info.goal, "unit": info.unit} for name, info in setup.evaluator.metrics.items()},
        "surrogates": sorted(setup.evaluator.surrogates),
        CONTENTS: dict(setup.evaluator.table_contents),
        "config": plain(setup.config.to_values()),
        "remarks": list(setup.evaluator.remarks),
        "seconds": 0.0,
        **({"shape": shape} if (shape := shape_document(setup.evaluator)) else {}),
    }
    with made(directory) as place:
        with whole_file(place / DATABASE) as draft:
            create_database(draft, meta, prior)
        if setup.beliefs:
            save_beliefs(setup.beliefs, place / BELIEFS)
        setup.config.write(place / CONFIG)  # last: with it the directory is a run's
