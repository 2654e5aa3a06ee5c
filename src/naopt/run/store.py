"""``run.db``: proposals, results and round logs of one run, in SQLite.

One transaction holds all proposals of a round with its log, one a result, so the process may be killed at any moment.
The journal is a write-ahead log: readers are never blocked, and at most the latest transactions are lost if the whole
machine goes down.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Self

from naopt.errors import InputError, RunStoppedError
from naopt.execution.trial import Trial
from naopt.measurement import Measurement
from naopt.spaces import Architecture, SearchSpace
from naopt.values import plain

FORMAT = 1

_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE rounds (round INTEGER PRIMARY KEY, log TEXT NOT NULL);
CREATE TABLE proposals (
    trial INTEGER PRIMARY KEY, round INTEGER NOT NULL REFERENCES rounds, tokens TEXT NOT NULL, text TEXT NOT NULL,
    origin TEXT NOT NULL, parent TEXT, predicted REAL
);
CREATE TABLE results (
    trial INTEGER PRIMARY KEY REFERENCES proposals, status TEXT NOT NULL, reason TEXT NOT NULL,
    metrics TEXT NOT NULL, seconds REAL NOT NULL
);
"""


def create_database(path: Path, meta: Mapping[str, Any], prior: Sequence[Any] = ()) -> None:  # noqa: ARG001
    """Writes a database without trials. ``meta`` holds JSON values."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(_SCHEMA)
        with connection:
            rows = {"format": FORMAT, **meta}.items()
            connection.executemany("INSERT INTO meta VALUES (?, ?)", [(k, json.dumps(plain(v))) for k, v in rows])


class RunStore:
    """An open ``run.db``; a context manager.

    Raises:
        InputError: there is no such file, or it is not a run's database of a known format.
    """

    def __init__(self, path: Path, *, writable: bool = True) -> None:  # noqa: ARG002
        self.path = path
        if not path.is_file():
            raise InputError("run", str(path.parent), f"has no {path.name}; it is not a run's directory")
        self._connection = sqlite3.connect(path)
        try:
            self._connection.execute("PRAGMA foreign_keys = ON")
            self._connection.execute("PRAGMA synchronous = NORMAL")
            self.meta = self._meta()
            version = self.meta["format"]
        except (sqlite3.DatabaseError, KeyError, ValueError) as error:
            self._connection.close()
            raise InputError("run", str(path.parent), f"{path.name} is not a run's database: {error}") from error
        if version != FORMAT:
            self._connection.close()
            raise InputError("run", str(path.parent), f"{path.name} has format {version}, this naopt reads {FORMAT}")

    # Reading.

    def _meta(self) -> dict[str, Any]:
        """Everything known about the run as a whole."""
        return {key: json.loads(value) for key, value in self._connection.execute("SELECT key, value FROM meta")}

    @property
    def rounds(self) -> list[dict[str, Any]]:
        """What the searcher said about each round."""
        return [json.loads(log) for (log,) in self._connection.execute("SELECT log FROM rounds ORDER BY round")]

    def trials(self, space: SearchSpace) -> list[Trial]:
        """All trials in order, those that are not measured included.

        Raises:
            InputError: rows that are damaged, or do not belong to ``space``.
        """
        query = (
            "SELECT trial, round, tokens, text, origin, parent, predicted, status, reason, metrics, seconds"
            " FROM proposals LEFT JOIN results USING (trial) ORDER BY trial"
        )
        try:
            return [_trial(space, row) for row in self._connection.execute(query)]
        except (sqlite3.DatabaseError, TypeError, ValueError) as error:
            raise InputError("run", str(self.path.parent), f"{self.path.name} is damaged: {error}") from error

    def finalists(self) -> dict[int, Measurement]:
        """Rows."""
        found = self.meta.get("finalists", {}).get("results", {})
        return {int(i): Measurement(f["metrics"], f["seconds"], f["status"], f["reason"]) for i, f in found.items()}

    def record_finalist(self, index: int, found: Measurement, **meta: Any) -> None:
        """Rows."""
        facts = {"metrics": dict(found.metrics), "status": found.status, "reason": found.reason}
        results = {
            **self.meta.get("finalists", {}).get("results", {}),
            str(index): {**facts, "seconds": found.seconds},
        }
        self.note(finalists={**self.meta["finalist_objective"], "results": results}, **meta)

    def prior(self, space: SearchSpace) -> list[tuple[Architecture, Measurement]]:  # noqa: ARG002
        """Nothing."""
        return []

    # Writing.

    def propose(self, trials: Sequence[Trial], log: Mapping[str, Any]) -> None:
        """Stores a round's proposals and its log."""
        rows = [
            (t.index, t.round, _tokens(t.architecture), t.text, t.origin, t.parent and _tokens(t.parent), t.predicted)
            for t in trials
        ]
        with self._transaction() as connection:
            connection.execute("INSERT INTO rounds VALUES (?, ?)", (trials[0].round, json.dumps(plain(log))))
            connection.executemany("INSERT INTO proposals VALUES (?, ?, ?, ?, ?, ?, ?)", rows)

    def record(self, trial: Trial, **meta: Any) -> None:
        """Stores a result, and what changes in ``meta`` with it.

        Raises:
            ValueError: an interrupted evaluation, which is not a result.
        """
        index, measurement = trial.index, trial.measurement
        assert measurement is not None
        if measurement.status == "interrupted":
            raise ValueError("an interrupted evaluation is not a result")
        metrics = json.dumps(dict(measurement.metrics))
        row = (index, measurement.status, measurement.reason, metrics, measurement.seconds)
        with self._transaction() as connection:
            connection.execute("INSERT INTO results VALUES (?, ?, ?, ?, ?)", row)
            self._put(connection, meta)

    def note(self, **meta: Any) -> None:
        """Stores something about the run as a whole."""
        with self._transaction() as connection:
            self._put(connection, meta)

    def _put(self, connection: sqlite3.Connection, meta: Mapping[str, Any]) -> None:
        rows = [(key, json.dumps(plain(value))) for key, value in meta.items()]
        self.meta.update(plain(meta))
        connection.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", rows)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        try:
            with self._connection:
                yield self._connection
        except sqlite3.OperationalError as error:
            raise RunStoppedError(f"run '{self.path.parent}': cannot write {self.path.name}: {error}") from error

    def close(self) -> None:
        """Closes the file."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _tokens(architecture: Architecture) -> str:
    return json.dumps(architecture.tokens)


def _trial(space: SearchSpace, row: tuple[Any, ...]) -> Trial:
    index, round_index, tokens, text, origin, parent, predicted, status, reason, metrics, seconds = row
    measurement = None if status is None else Measurement(json.loads(metrics), seconds, status, reason)
    return Trial(
        index,
        round_index,
        space.architecture(json.loads(tokens)),
        text,
        origin,
        None if parent is None else space.architecture(json.loads(parent)),
        predicted,
        measurement,
    )
