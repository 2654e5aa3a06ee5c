"""A search that is being carried out: what its phases share."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from naopt.errors import InputError
from naopt.evaluators.base import Evaluator
from naopt.execution.deadline import NEVER, Deadline
from naopt.execution.observer import Observer
from naopt.run.config import RunConfig
from naopt.run.contents import check_contents
from naopt.run.names import CONFIG
from naopt.run.record import RunRecord, load_run, record_of
from naopt.run.setup import Setup, prepare
from naopt.spaces import SearchSpace, positions_from_document
from naopt.values import plain

if TYPE_CHECKING:
    from naopt.store.store import RunStore


MAY_CHANGE = (
    "workers",
    "workers_per_device",
    "device",
    "engine",
    "timeout",
    "time",
    "stop_after",
    "stop_alike",
    "retries",
    "smaller_batch",
    "finalists",
    "finalist_preset",
)
"""What of a configuration says how a search is carried out, not what is searched, and what is done in its end."""


@dataclass
class SearchState:
    """A search in a directory.

    Attributes:
        directory: of the run.
        config: as it was read or given.
        evaluator: what measures, where the configuration cannot say: a Python function.
        observers: hear of the search, after the store.
        workers: instead of the configured number, this time; ``None`` for that.
        store: open while the search is carried out.
    """

    directory: Path
    config: RunConfig
    evaluator: Evaluator | None = None
    observers: Sequence[Observer] = ()
    workers: int | None = None
    store: RunStore | None = None
    _space: SearchSpace | None = field(default=None, init=False)
    _before: float = field(default=0.0, init=False)
    _began: float = field(default=0.0, init=False)

    @cached_property
    def setup(self) -> Setup:
        """The parts of the search. Raises ``InputError`` if the task, table or space is not as it was."""
        return prepare(self.config, self.directory, self.evaluator, self._check_contents)

    def _check_contents(self, contents: Mapping[str, str]) -> None:
        if self.store is not None:
            check_contents(self.directory, self.store.meta, contents)

    @cached_property
    def _read(self) -> RunRecord:
        return load_run(self.directory, self.config)

    @property
    def record(self) -> RunRecord:
        """The search as it stands: of the open store, else as it was when it was first asked for."""
        if self.store is None:
            return self._read
        record = record_of(self.directory, self.config, self.store, self._space)
        self._space = record.space
        return record

    @property
    def open_store(self) -> RunStore:
        """The store, while the search is carried out."""
        assert self.store is not None
        return self.store

    def begin(self, store: RunStore) -> None:
        """The search goes on from what a store holds."""
        self.store, self._began = store, time.monotonic()
        self._before = float(store.meta.get("seconds", 0.0))

    def end(self) -> None:
        """The store is about to be closed: what it holds is the record from now on."""
        self.__dict__["_read"], self.store = self.record, None

    @property
    def seconds(self) -> float:
        """Wall time of the search up to now, all its parts together."""
        return self._before + time.monotonic() - self._began

    @property
    def deadline(self) -> Deadline:
        """When the search has to end."""
        limit = self.config.time
        return Deadline(limit - self.seconds) if limit else NEVER

    def note_time_is_up(self) -> None:
        """Stores that the time limit is reached, and which."""
        self.open_store.note(time_is_up=self.config.time, seconds=self.seconds)

    def note_measured(self) -> None:
        """Stores that measuring ended with its time; also that of the whole search, if nothing is left of it."""
        if self.deadline.left > 0:
            self.open_store.note(measuring_ended=self.config.time, seconds=self.seconds)
        else:
            self.note_time_is_up()

    @property
    def wanted_workers(self) -> int:
        """How many evaluations are to be done at a time."""
        return self.workers or self.config.workers

    def check_unchanged(self) -> None:
        """What was measured belongs to the configuration that the run began with.

        Raises:
            InputError: ``config.toml`` says something else now.
        """
        began = RunConfig.from_values(self.record.meta.get("config", {})).to_values()
        now = self.config.to_values()
        for key in sorted((began.keys() | now.keys()) - set(MAY_CHANGE)):
            if plain(began.get(key)) != plain(now.get(key)):
                rule = f"'{key}' of {CONFIG} was changed since the run began; undo that, or begin another run"
                raise InputError("run", str(self.directory), rule)

    def check_space(self) -> None:
        """Raises ``InputError`` if the space has other positions than when the run began."""
        meta, space = self.record.meta, self.setup.space
        if (space.name, space.positions) != (meta["space"], positions_from_document(meta["positions"])):
            raise InputError("run", str(self.directory), f"space {meta['space']} is not as it was when the run began")
