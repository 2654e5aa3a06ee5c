"""``run.db``: proposals, results and round logs of one run, in SQLite.

What belongs together is one transaction. Results are on the disk when the call returns, so the process may be killed
and the machine may go down at any moment. ``run.count`` beside it says how much that is: a database that lost what it
once acknowledged is refused.
"""

from __future__ import annotations

import errno
import json
import os
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Self

from naopt.errors import InputError, RunStoppedError
from naopt.execution.trial import Trial
from naopt.files import is_full
from naopt.measurement import Measurement
from naopt.spaces import Architecture, SearchSpace
from naopt.store import schema
from naopt.store.integrity import (
    Counts,
    open_counts,
    read_counts,
    read_unchanged,
    synchronise,
    unreadable,
    write_counts,
)
from naopt.store.schema import FORMAT, Row, Tables
from naopt.values import plain

DATABASE = "run.db"
"""Name of the file in the directory of a run."""

_LEAST_BYTES = 512
"""No database is smaller; beside an empty one SQLite would delete the write-ahead log."""


def create_database(
    path: Path, meta: Mapping[str, Any], prior: Iterable[tuple[Architecture, Measurement, str]] = ()
) -> None:
    """Writes a database without trials. ``meta`` holds JSON values; ``prior`` as ``RunStore.add_prior``."""
    rows = {"meta": schema.meta_rows({"format": FORMAT, **meta}), "prior": schema.prior_rows(prior)}
    with closing(sqlite3.connect(path, isolation_level=None)) as connection, connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("BEGIN")
        schema.write(connection, rows)


class RunStore:
    """An open ``run.db``: read once, written through. A context manager.

    A database of an older format is brought to today's when it is opened to be written, else read as if it were.

    Args:
        path: of the file.
        writable: whether something may be stored; one process at a time may have a run open like this.

    Attributes:
        meta: everything known about the run as a whole.
        rounds: what the searcher said about each round.

    Raises:
        InputError: there is no such file, it is no run's database of a known format, is damaged, or cannot be written;
            nothing was changed.
        RunStoppedError: the disk is full.
    """

    def __init__(self, path: Path, *, writable: bool = True) -> None:
        self.path = path
        if not path.is_file():
            raise InputError("run", str(path.parent), f"has no {path.name}; it is not a run's directory")
        if not os.access(path, os.R_OK):
            raise self._refusal(f"cannot be read: {os.strerror(errno.EACCES)}")
        if (size := path.stat().st_size) < _LEAST_BYTES:
            raise self._refusal(f"is not a run's database: it has {size} bytes")
        # Counts first: another process may be writing, and acknowledges after it has stored.
        acknowledged = read_counts(self._count_path)
        try:
            version, self._tables = read_unchanged(path, self._read)
            self.meta = {key: json.loads(value) for key, value in self._tables["meta"]}
            self.rounds = [json.loads(log) for _, log in self._tables["rounds"]]
        except InputError:
            raise
        except OSError as error:
            raise self._refusal(f"cannot be read: {error.strerror or error}") from error
        except sqlite3.DatabaseError as error:
            raise self._refusal(f"{'cannot be read' if unreadable(error) else 'is damaged'}: {error}") from error
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            raise self._refusal(f"is damaged: {error}") from error
        self._transactions = int(self.meta.pop("transactions", 0))
        if acknowledged is not None and (missing := acknowledged.missing(self._counts)):
            raise self._refusal(f"is damaged: {missing}")
        self._parsed: list[tuple[SearchSpace, list[Trial]]] = []
        self._connection: sqlite3.Connection | None = None
        if writable:
            self._open(old=version != FORMAT)

    def _read(self, connection: sqlite3.Connection) -> tuple[int, Tables]:
        try:
            version = schema.version(connection)
        except (sqlite3.DatabaseError, TypeError, ValueError) as error:
            if isinstance(error, sqlite3.Error) and unreadable(error):
                raise
            raise self._refusal(f"is not a run's database: {error}") from error
        if version not in (1, FORMAT):
            raise self._refusal(f"has format {version}, this naopt reads up to {FORMAT}")
        return version, schema.read(connection, version)

    def _open(self, *, old: bool) -> None:
        try:
            # Before SQLite opens it, whose locks would be lost when another descriptor is closed.
            synchronise(self.path)
            self._count_file = open_counts(self._count_path)
        except OSError as error:
            if is_full(error):
                raise self._stopped(error.strerror) from error
            raise self._refusal(f"cannot be written: {error.strerror}") from error
        self._connection = sqlite3.connect(self.path, isolation_level=None)
        try:
            if not (os.access(self.path, os.W_OK) and os.access(self.path.parent, os.W_OK)):
                raise self._refusal(f"cannot be written: {os.strerror(errno.EACCES)}")
            self._connection.execute("PRAGMA foreign_keys = ON")
            if old:
                self._write({}, {}, anew=True)
            self._acknowledge()
        except BaseException:
            self.close()
            raise

    # Reading.

    def trials(self, space: SearchSpace) -> list[Trial]:
        """All trials in order, those that are not measured included.

        Raises:
            InputError: they do not belong to ``space``.
        """
        for known, trials in self._parsed:
            if known is space:
                return list(trials)
        try:
            trials = schema.trials(space, self._tables["proposals"], self._tables["results"], self.rounds)
        except (LookupError, TypeError, ValueError) as error:
            raise self._refusal(f"is damaged: {error}") from error
        self._parsed.append((space, trials))
        return list(trials)

    def finalists(self) -> dict[int, Measurement]:
        """What trials gave that were trained stand-alone, by index of the trial."""
        return {row[0]: schema.measurement(row[1:]) for row in self._tables["finalists"]}

    def prior(self, space: SearchSpace) -> list[tuple[Architecture, Measurement]]:
        """What other searches measured. Raises as ``trials``."""
        rows = self._tables["prior"]
        try:
            known = schema.architectures(space, [row[1] for row in rows])
            return [(a, schema.measurement(row[2:7])) for a, row in zip(known, rows, strict=True)]
        except (TypeError, ValueError) as error:
            raise self._refusal(f"is damaged: {error}") from error

    # Writing. Each of these is one transaction, and raises ``RunStoppedError`` if the file cannot be written.

    def propose(self, trials: Sequence[Trial], log: Mapping[str, Any]) -> None:
        """Stores a round's proposals and its log.

        They survive the process at once, and a loss of power from the next result on, which is soon enough: proposals
        that were lost are made again.
        """
        said = plain(log)
        if levels := [(trial.index, trial.level, trial.cost) for trial in trials if trial.cost != 1.0]:
            said = {**said, schema.LEVELS: plain(levels)}
        if repeats := [(trial.index, trial.repeat) for trial in trials if trial.repeat]:
            said = {**said, schema.REPEATS: plain(repeats)}
        rows = [schema.proposal(trial) for trial in trials]
        self._write({"rounds": [(trials[0].round, json.dumps(said))], "proposals": rows}, {}, synchronised=False)
        self.rounds.append(said)
        for _, known in self._parsed:
            known += trials

    def record(self, trial: Trial, **meta: Any) -> None:
        """Stores a trial's result, and what changes in ``meta`` with it.

        Raises:
            ValueError: a trial without measurement or place, or an interrupted one, which is not a result.
        """
        if trial.place is None:
            raise ValueError("a result needs its place among the others")
        self._write({"results": [(trial.index, *_result(trial.measurement), trial.place)]}, meta)
        for _, known in self._parsed:
            known[trial.index] = trial

    def record_finalist(self, index: int, measurement: Measurement, **meta: Any) -> None:
        """Stores what a trial gave when it was trained stand-alone. Raises ``ValueError`` as ``record``."""
        self._write({"finalists": [(index, *_result(measurement))]}, meta)

    def add_prior(self, rows: Iterable[tuple[Architecture, Measurement, str]]) -> None:
        """Stores what other searches measured; a text says where each comes from."""
        self._write({"prior": schema.prior_rows(rows, len(self._tables["prior"]))}, {})

    def note(self, **meta: Any) -> None:
        """Stores something about the run as a whole."""
        self._write({}, meta)

    def _write(
        self,
        rows: Mapping[str, list[Row]],
        meta: Mapping[str, Any],
        *,
        anew: bool = False,
        synchronised: bool = True,
    ) -> None:
        if self._connection is None:
            raise ValueError(f"{self.path} is not open to be written")
        meta, number = plain(meta), self._transactions + 1
        try:
            with self._connection as connection:
                connection.execute(f"PRAGMA synchronous = {'FULL' if synchronised else 'NORMAL'}")
                connection.execute("BEGIN IMMEDIATE")
                if anew:
                    schema.write(connection, self._tables)
                for table, new in rows.items():
                    schema.insert(connection, table, new)
                schema.insert(connection, "meta", schema.meta_rows({**meta, "transactions": number}))
        except sqlite3.IntegrityError:
            raise
        except sqlite3.DatabaseError as error:
            raise self._stopped(error) from error
        self._transactions = number
        self.meta.update(meta)
        for table, new in rows.items():
            self._tables[table] += new
        if synchronised:  # otherwise the disk could have the count, and not yet what is counted
            self._acknowledge()

    def _acknowledge(self) -> None:
        try:
            write_counts(self._count_file, self._counts)
        except OSError as error:
            raise self._stopped(error.strerror) from error

    @property
    def _counts(self) -> Counts:
        return Counts(self._transactions, *(len(self._tables[name]) for name in ("proposals", "results", "finalists")))

    @property
    def _count_path(self) -> Path:
        return self.path.with_suffix(".count")

    def _refusal(self, rule: str) -> InputError:
        return InputError("run", str(self.path.parent), f"{self.path.name} {rule}")

    def _stopped(self, error: object) -> RunStoppedError:
        return RunStoppedError(f"run '{self.path.parent}': cannot write {self.path.name}: {error}")

    def close(self) -> None:
        """Closes the files."""
        if self._connection is not None:
            self._connection.close()
            os.close(self._count_file)
            self._connection = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _result(found: Measurement | None) -> Row:
    if found is None or found.status == "interrupted":
        raise ValueError("an interrupted evaluation is not a result")
    return schema.result(found)
