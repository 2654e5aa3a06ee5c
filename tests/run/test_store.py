from __future__ import annotations

import json
import sqlite3
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from naopt.errors import InputError, RunStoppedError
from naopt.execution import Trial
from naopt.measurement import Measurement
from naopt.run.store import RunStore, create_database
from naopt.spaces import GenericSpace, Position
from tests.run.toys import SPACE, toy

TRIALS = [
    Trial(0, 0, toy("fine", 3), SPACE.format(toy("fine", 3)), "random"),
    Trial(1, 0, toy("exit", 1), SPACE.format(toy("exit", 1)), "ascent", toy("fine", 3), 0.1 + 0.2),
]
OK = Measurement({"score": 0.1 + 0.2, "params": 1e300}, 1.25)
FAILED = Measurement(status="failed", reason='it\'s "broken" — ünïcode')


@pytest.fixture
def path(tmp_path: Path) -> Path:
    create_database(tmp_path / "run.db", {"space": "toy", "sizes": (1, np.int64(2)), "seconds": 0.0})
    return tmp_path / "run.db"


def test_what_is_stored_comes_back_exactly(path: Path) -> None:
    with RunStore(path) as store:
        store.propose(TRIALS, {"loss": np.float32(0.5), "bad": float("inf"), "curve": np.array([1.0, np.nan])})
        store.record(1, FAILED)
        store.record(0, OK, seconds=4.5)
        store.note(exhausted=True)
    with RunStore(path) as store:
        assert store.trials(SPACE) == [replace(TRIALS[0], measurement=OK), replace(TRIALS[1], measurement=FAILED)]
        assert store.trials(SPACE)[1].parent == toy("fine", 3)
        assert store.rounds() == [{"loss": 0.5, "bad": None, "curve": [1.0, None]}]
        assert store.meta() == {"format": 1, "space": "toy", "sizes": [1, 2], "seconds": 4.5, "exhausted": True}


def test_proposals_of_a_round_are_stored_all_or_none(path: Path) -> None:
    with RunStore(path) as store:
        with pytest.raises(sqlite3.IntegrityError):
            store.propose([TRIALS[0], TRIALS[0]], {})
        assert store.trials(SPACE) == []
        assert store.rounds() == []


def test_a_result_is_stored_once_and_only_for_a_proposal(path: Path) -> None:
    with RunStore(path) as store:
        store.propose(TRIALS, {})
        store.record(0, OK)
        for index in (0, 7):
            with pytest.raises(sqlite3.IntegrityError):
                store.record(index, FAILED)
        assert [trial.measurement for trial in store.trials(SPACE)] == [OK, None]


def test_interrupted_evaluations_are_not_stored(path: Path) -> None:
    with RunStore(path) as store:
        store.propose(TRIALS, {})
        with pytest.raises(ValueError, match="not a result"):
            store.record(0, Measurement(status="interrupted", reason="signal"))


def test_readers_are_not_blocked_by_a_writer(path: Path) -> None:
    with RunStore(path) as writer, RunStore(path) as reader:
        writer.propose(TRIALS, {})
        assert len(reader.trials(SPACE)) == 2
        writer.record(0, OK)
        assert reader.trials(SPACE)[0].measurement == OK


def test_a_full_disk_stops_the_run(path: Path) -> None:
    with RunStore(path) as store:
        store._connection.execute("PRAGMA query_only = ON")
        with pytest.raises(RunStoppedError, match=r"cannot write run\.db"):
            store.propose(TRIALS, {})


@pytest.mark.parametrize("content", [b"", b"not a database, but long enough to look like one" * 20])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "run.db").write_bytes(content)
    with pytest.raises(InputError, match=r"run\.db is not a run's database"):
        RunStore(tmp_path / "run.db")


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has no run\.db; it is not a run's directory"):
        RunStore(tmp_path / "run.db")


def test_another_format(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE meta SET value = '2' WHERE key = 'format'")
    connection.close()
    with pytest.raises(InputError, match="has format 2, this naopt reads 1"):
        RunStore(path)


@pytest.mark.parametrize("change", ["tokens = '[0, 99]'", "tokens = 'nonsense'", "tokens = '3'"])
def test_damaged_rows(path: Path, change: str) -> None:
    with RunStore(path) as store:
        store.propose(TRIALS, {})
    with sqlite3.connect(path) as connection:
        connection.execute(f"UPDATE proposals SET {change} WHERE trial = 1")
    connection.close()
    with RunStore(path) as store, pytest.raises(InputError, match=r"run\.db is damaged"):
        store.trials(SPACE)


def test_rows_of_another_space(path: Path) -> None:
    other = GenericSpace([Position("x", ("a", "b"))], "toy")
    with RunStore(path) as store:
        store.propose(TRIALS, {})
        with pytest.raises(InputError, match="damaged"):
            store.trials(other)


def test_plain_values_are_json(path: Path) -> None:
    with RunStore(path) as store:
        store.note(odd={1: path, "flag": True, "none": None})
        assert store.meta()["odd"] == {"1": str(path), "flag": True, "none": None}
        assert json.dumps(store.meta(), allow_nan=False)
