"""Databases of older formats are read as they are, and brought to today's when there is something to write."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from naopt.errors import InputError, RunStoppedError
from naopt.measurement import Measurement
from naopt.store import schema
from naopt.store.store import RunStore
from tests.run.toys import SPACE, toy

FORMAT_1 = """
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
TRAINED = {"metrics": {"valid_acc": 0.5}, "status": "ok", "reason": "", "seconds": 3.0}
BROKEN = {"metrics": {}, "status": "oom", "reason": "no memory", "seconds": 1.0}


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "run.db"
    finalists = {"metric": "valid_acc", "goal": "max", "results": {"12": TRAINED, "2": BROKEN}}
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(FORMAT_1)
        with connection:
            meta = {"format": 1, "space": "toy", "seconds": 4.5, "finalists": finalists}
            connection.executemany("INSERT INTO meta VALUES (?, ?)", [(k, json.dumps(v)) for k, v in meta.items()])
            connection.executemany("INSERT INTO rounds VALUES (?, ?)", [(0, '{"loss": 0.5}'), (1, "{}")])
            for trial in range(15):
                row = (trial, trial // 10, f"[0, {trial % 10}]", f"text {trial}", "random", "[3, 3]", trial / 10)
                connection.execute("INSERT INTO proposals VALUES (?, ?, ?, ?, ?, ?, ?)", row)
            for trial in (2, 0, 12, 11):
                metrics = json.dumps({"score": trial + 0.5})
                connection.execute("INSERT INTO results VALUES (?, 'ok', '', ?, 0.25)", (trial, metrics))
            connection.execute("UPDATE results SET status = 'failed', reason = 'no' WHERE trial = 11")
    return path


def contents(path: Path, *, writable: bool) -> list[Any]:
    with RunStore(path, writable=writable) as store:
        return [store.meta, store.rounds, store.trials(SPACE), store.finalists(), store.prior(SPACE)]


def test_a_database_of_format_1_is_read(old: Path) -> None:
    before = old.read_bytes()
    meta, rounds, trials, finalists, prior = contents(old, writable=False)
    about = {"metric": "valid_acc", "goal": "max"}
    assert meta == {"format": 2, "space": "toy", "seconds": 4.5, "finalist_objective": about}
    assert rounds == [{"loss": 0.5}, {}]
    assert [trial.index for trial in trials] == list(range(15))
    assert {trial.index: trial.place for trial in trials if trial.measurement} == {0: 0, 2: 1, 11: 2, 12: 3}
    assert trials[12].measurement == Measurement({"score": 12.5}, 0.25)
    assert trials[11].measurement == Measurement({"score": 11.5}, 0.25, "failed", "no")
    assert (trials[3].parent, trials[3].predicted, trials[3].text) == (toy("exit", 3), 0.3, "text 3")
    assert finalists == {2: Measurement({}, 1.0, "oom", "no memory"), 12: Measurement({"valid_acc": 0.5}, 3.0)}
    assert prior == []
    assert old.read_bytes() == before
    assert [file.name for file in old.parent.iterdir()] == ["run.db"]


def test_it_becomes_one_of_today_when_it_is_written(old: Path) -> None:
    before = contents(old, writable=False)
    assert contents(old, writable=True) == before
    assert contents(old, writable=False) == before
    with closing(sqlite3.connect(old)) as connection:
        assert json.loads(connection.execute("SELECT value FROM meta WHERE key = 'format'").fetchone()[0]) == 2
        rows = connection.execute("SELECT trial, status, reason, metrics, seconds, details FROM finalists").fetchall()
    assert rows == [(2, "oom", "no memory", "{}", 1.0, ""), (12, "ok", "", '{"valid_acc": 0.5}', 3.0, "")]
    assert (old.parent / "run.count").is_file()
    with RunStore(old) as store:
        store.record_finalist(0, Measurement({"valid_acc": 0.25}, 2.0))
    assert contents(old, writable=False)[3] == {**before[3], 0: Measurement({"valid_acc": 0.25}, 2.0)}


def test_a_migration_happens_or_does_not(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before, raw = contents(old, writable=False), schema.insert

    def full(connection: sqlite3.Connection, table: str, rows: list[schema.Row]) -> None:
        raw(connection, table, rows)
        if table == "finalists":
            raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(schema, "insert", full)
    with pytest.raises(RunStoppedError, match=r"cannot write run\.db: database or disk is full"):
        RunStore(old)
    monkeypatch.undo()
    with closing(sqlite3.connect(old)) as connection:
        assert connection.execute("SELECT value FROM meta WHERE key = 'format'").fetchone() == ("1",)
    assert contents(old, writable=True) == before


@pytest.mark.parametrize("finalists", ["3", '{"metric": "a"}', '{"metric": "a", "goal": "max", "results": [1]}'])
def test_damaged_finalists_of_format_1(old: Path, finalists: str) -> None:
    with closing(sqlite3.connect(old)) as connection, connection:
        connection.execute("UPDATE meta SET value = ? WHERE key = 'finalists'", (finalists,))
    with pytest.raises(InputError, match=r"run\.db is damaged"):
        RunStore(old)
