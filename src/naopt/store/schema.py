"""The tables of ``run.db``, and what their rows mean. Every row ends with a check of its other values."""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from naopt.execution.trial import Trial
from naopt.measurement import Measurement
from naopt.spaces import Architecture, SearchSpace
from naopt.values import plain

FORMAT = 2
LEVELS = "levels"
"""Key of a round's log, with fidelities: of its trials index, level (null: the full one) and cost."""
REPEATS = "repeats"
"""Key of a round's log, with repeats: of its trials index, and how often the architecture was proposed before."""

Row = tuple[Any, ...]
Tables = dict[str, list[Row]]
"""Rows by table, without their checks, in the order of their keys."""

_RESULT = (
    "status TEXT NOT NULL, reason TEXT NOT NULL, metrics TEXT NOT NULL, seconds REAL NOT NULL, details TEXT NOT NULL"
)
_COLUMNS = {
    "meta": "key TEXT PRIMARY KEY, value TEXT NOT NULL",
    "rounds": "round INTEGER PRIMARY KEY, log TEXT NOT NULL",
    "proposals": "trial INTEGER PRIMARY KEY, round INTEGER NOT NULL REFERENCES rounds, tokens TEXT NOT NULL,"
    " text TEXT NOT NULL, origin TEXT NOT NULL, parent TEXT, predicted REAL",
    "results": f"trial INTEGER PRIMARY KEY REFERENCES proposals, {_RESULT}, place INTEGER NOT NULL",
    "finalists": f"trial INTEGER PRIMARY KEY REFERENCES proposals, {_RESULT}",
    "prior": f"id INTEGER PRIMARY KEY, tokens TEXT NOT NULL, {_RESULT}, source TEXT NOT NULL",
}
_FORMAT_1 = ("meta", "rounds", "proposals", "results")


def write(connection: sqlite3.Connection, tables: Mapping[str, Sequence[Row]]) -> None:
    """Makes all tables anew, with these rows, in the transaction that is open."""
    for name in reversed(_COLUMNS):
        connection.execute(f"DROP TABLE IF EXISTS {name}")
    for name, columns in _COLUMNS.items():
        # Without a rowid there is no index beside the table, which could be damaged by itself.
        kind = " WITHOUT ROWID" if name == "meta" else ""
        connection.execute(f"CREATE TABLE {name} ({columns}, crc INTEGER NOT NULL){kind}")
        insert(connection, name, tables.get(name, ()))


def insert(connection: sqlite3.Connection, table: str, rows: Sequence[Row]) -> None:
    """Adds rows; those of ``meta`` take the place of what has the same key."""
    if rows:
        marks = ", ".join("?" * (len(rows[0]) + 1))
        verb = "REPLACE" if table == "meta" else "INSERT"
        connection.executemany(f"{verb} INTO {table} VALUES ({marks})", [(*row, check(row)) for row in rows])


def check(row: Row) -> int:
    """CRC-32 of a row's values as text, a NUL between them."""
    # SQLite keeps whole numbers of its reals as integers, and so gives 0.0 for -0.0.
    values = (value + 0.0 if isinstance(value, float) else value for value in row)
    return zlib.crc32("\0".join(map(str, values)).encode())


def version(connection: sqlite3.Connection) -> Any:
    """The format of a database. Raises ``sqlite3.DatabaseError``, ``TypeError`` or ``ValueError`` if there is none."""
    row = connection.execute("SELECT value FROM meta WHERE key = 'format'").fetchone()
    if row is None:
        raise ValueError("it has no format")
    return json.loads(row[0])


def read(connection: sqlite3.Connection, format_: int) -> Tables:
    """All rows of a database of format 1 or 2, as they stand in format 2.

    Raises:
        sqlite3.DatabaseError, LookupError, TypeError, ValueError: it is damaged.
    """
    (state,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if state != "ok":
        raise ValueError(state)
    names = _FORMAT_1 if format_ == 1 else tuple(_COLUMNS)
    tables: Tables = {name: connection.execute(f"SELECT * FROM {name} ORDER BY 1").fetchall() for name in names}  # noqa: S608
    if format_ == 1:
        tables = _from_format_1(tables)
    else:
        tables = {name: [_checked(name, row) for row in rows] for name, rows in tables.items()}
    count = len(tables["proposals"])
    for name in ("rounds", "proposals"):
        if any(row[0] != index for index, row in enumerate(tables[name])):
            raise ValueError(f"rows of {name} are missing")
    if any(not 0 <= row[0] < count for name in ("results", "finalists") for row in tables[name]):
        raise ValueError("proposals of results are missing")
    return tables


def _checked(table: str, row: Row) -> Row:
    if check(row[:-1]) != row[-1]:
        raise ValueError(f"row {row[0]!r} of {table} is not as it was written")
    return row[:-1]


def _from_format_1(tables: Tables) -> Tables:
    """Finalists were JSON in the meta data; there were neither details nor the order of results."""
    meta = {key: json.loads(value) for key, value in tables["meta"]}
    old = meta.pop("finalists", {})
    if old:
        meta["finalist_objective"] = {"metric": old["metric"], "goal": old["goal"]}
    trained = {
        int(index): Measurement(found["metrics"], found["seconds"], found["status"], found["reason"])
        for index, found in old.get("results", {}).items()
    }
    return {
        **tables,
        "meta": meta_rows({**meta, "format": FORMAT}),
        "results": [(*row, "", place) for place, row in enumerate(tables["results"])],
        "finalists": [(index, *result(trained[index])) for index in sorted(trained)],
        "prior": [],
    }


def meta_rows(meta: Mapping[str, Any]) -> list[Row]:
    """Rows of facts about the run as a whole."""
    return [(key, json.dumps(plain(value))) for key, value in meta.items()]


def prior_rows(prior: Iterable[tuple[Architecture, Measurement, str]], first: int = 0) -> list[Row]:
    """Rows of what other searches measured, numbered from ``first``; the text says where it comes from."""
    found = enumerate(prior, start=first)
    return [(number, _tokens(a), *result(measurement), _text(source)) for number, (a, measurement, source) in found]


def proposal(trial: Trial) -> Row:
    """The row of a trial in ``proposals``."""
    predicted = None if trial.predicted is None or np.isnan(trial.predicted) else float(trial.predicted)
    parent = None if trial.parent is None else _tokens(trial.parent)
    return (trial.index, trial.round, _tokens(trial.architecture), trial.text, trial.origin, parent, predicted)


def result(found: Measurement) -> Row:
    """What the tables of results have in common: status, reason, metrics, seconds, details."""
    metrics = json.dumps({name: float(value) for name, value in found.metrics.items()})
    return (found.status, _text(found.reason), metrics, float(found.seconds), _text(found.details))


def measurement(columns: Row) -> Measurement:
    """Inverse of ``result``. Raises ``TypeError`` or ``ValueError`` for what is none."""
    status, reason, metrics, seconds, details = columns
    return Measurement(json.loads(metrics), seconds, status, reason, details)


def trials(
    space: SearchSpace, proposals: Sequence[Row], results: Sequence[Row], logs: Sequence[Mapping[str, Any]] = ()
) -> list[Trial]:
    """Trials from their rows, and the logs of rounds, which have their levels, where there are some.

    Raises:
        TypeError, ValueError, LookupError: they do not belong to the space, or the levels not to them.
    """
    measured = {row[0]: measurement(row[1:6]) for row in results}
    place = {row[0]: row[6] for row in results}
    levels = [row for log in logs for row in log.get(LEVELS, ())]
    level, cost = {index: level for index, level, _ in levels}, {index: float(cost) for index, _, cost in levels}
    repeat = {index: int(count) for log in logs for index, count in log.get(REPEATS, ())}
    texts = [row[2] for row in proposals]
    own = dict(zip(texts, architectures(space, texts), strict=True))
    others = list({row[5] for row in proposals if row[5] is not None} - own.keys())
    own.update(zip(others, architectures(space, others), strict=True))
    return [
        Trial(index, round_, own[tokens], text, origin, None if parent is None else own[parent], predicted,
              measured.get(index), place.get(index), level=level.get(index), cost=cost.get(index, 1.0),
              repeat=repeat.get(index, 0))
        for index, round_, tokens, text, origin, parent, predicted in proposals
    ]  # fmt: skip


def architectures(space: SearchSpace, texts: Sequence[str]) -> list[Architecture]:
    """Architectures from JSON lists of tokens, all at once. Raises ``TypeError`` or ``ValueError`` for invalid ones."""
    tokens = [tuple(json.loads(text)) for text in texts]
    for row in tokens:
        if len(row) != len(space.positions) or not all(type(token) is int for token in row):
            space.architecture(row)
            raise ValueError(f"{row} are no tokens of {space.name}")
    if not tokens:
        return []
    rows = np.array(tokens, dtype=np.int64)
    if not (valid := space.valid_rows(rows)).all():
        space.architecture(tokens[int(valid.argmin())])
    identities = space.identities(rows).tolist()
    return [Architecture(space.name, row, tuple(identity)) for row, identity in zip(tokens, identities, strict=True)]


def _tokens(architecture: Architecture) -> str:
    return json.dumps(architecture.tokens)


def _text(text: str) -> str:
    """Text that can be stored: output of a program may hold what is no Unicode."""
    return text.encode("utf-8", "replace").decode()
