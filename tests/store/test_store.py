"""The store of a run: what goes in comes back, and what belongs together is stored together."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from naopt.errors import InputError
from naopt.execution import Trial
from naopt.measurement import Measurement
from naopt.spaces import GenericSpace, Position
from naopt.store.store import RunStore, create_database
from tests.run.toys import SPACE, toy

TRIALS = [
    Trial(0, 0, toy("fine", 3), SPACE.format(toy("fine", 3)), "random"),
    Trial(1, 0, toy("exit", 1), SPACE.format(toy("exit", 1)), "ascent", toy("fine", 3), 0.1 + 0.2),
    Trial(2, 1, toy("fine", 2), SPACE.format(toy("fine", 2)), "ascent", toy("raise", 3), -0.0),
]
OK = Measurement({"score": 0.1 + 0.2, "params": 1e300}, 1.25)
FAILED = Measurement(status="failed", reason='it\'s "broken" — ünïcode', details="Traceback\n  line\0\n\tValueError: ü")
SECOND, FIRST = replace(TRIALS[0], measurement=OK, place=1), replace(TRIALS[1], measurement=FAILED, place=0)
LOG = {"loss": np.float32(0.5), "bad": float("inf"), "curve": np.array([1.0, np.nan])}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    create_database(tmp_path / "run.db", {"space": "toy", "sizes": (1, np.int64(2)), "seconds": 0.0})
    return tmp_path / "run.db"


def contents(store: RunStore) -> list[Any]:
    return [store.meta, store.rounds, store.trials(SPACE), store.finalists(), store.prior(SPACE)]


def test_what_is_stored_comes_back_exactly(path: Path) -> None:
    with RunStore(path) as store:
        assert store.trials(SPACE) == []
        store.propose(TRIALS[:2], LOG)
        store.record(FIRST)
        store.record(SECOND, seconds=4.5)
        store.propose(TRIALS[2:], {})
        store.record_finalist(1, FAILED)
        store.record_finalist(0, OK, finalist_objective={"metric": "valid_acc", "goal": "max"})
        store.add_prior([(toy("fine", 9), OK, "runs/a"), (toy("exit", 9), FAILED, "b.csv")])
        store.note(exhausted=True, path=path)
        written = contents(store)
    about = {"exhausted": True, "path": str(path), "finalist_objective": {"metric": "valid_acc", "goal": "max"}}
    assert written == [
        {"format": 2, "space": "toy", "sizes": [1, 2], "seconds": 4.5, **about},
        [{"loss": 0.5, "bad": None, "curve": [1.0, None]}, {}],
        [SECOND, FIRST, TRIALS[2]],
        {0: OK, 1: FAILED},
        [(toy("fine", 9), OK), (toy("exit", 9), FAILED)],
    ]
    for writable in (False, True):
        with RunStore(path, writable=writable) as store:
            assert contents(store) == written
            assert [trial.parent for trial in store.trials(SPACE)] == [None, toy("fine", 3), toy("raise", 3)]


def test_what_was_measured_before_comes_with_a_new_database(tmp_path: Path) -> None:
    create_database(tmp_path / "run.db", {}, [(toy("fine", 1), OK, "a.csv")])
    with RunStore(tmp_path / "run.db") as store:
        store.add_prior([(toy("fine", 2), FAILED, "b.csv")])
        assert store.prior(SPACE) == [(toy("fine", 1), OK), (toy("fine", 2), FAILED)]


def test_rows_are_parsed_once_for_a_space(path: Path) -> None:
    same = GenericSpace(SPACE.positions, SPACE.name)
    with RunStore(path) as store:
        store.propose(TRIALS[:2], {})
        before = store.trials(SPACE)
        assert store.trials(same) == before
        store.record(FIRST)
        assert store.trials(SPACE) == store.trials(same) == [TRIALS[0], FIRST]
        assert store.trials(SPACE)[0].architecture is before[0].architecture
        assert before[1].measurement is None


def test_proposals_of_a_round_are_stored_all_or_none(path: Path) -> None:
    with RunStore(path) as store:
        before = contents(store)
        with pytest.raises(sqlite3.IntegrityError):
            store.propose([TRIALS[0], TRIALS[0]], {})
        assert contents(store) == before
    with RunStore(path) as store:
        assert contents(store) == before


def test_a_result_is_stored_once_and_only_for_a_proposal(path: Path) -> None:
    with RunStore(path) as store:
        store.propose(TRIALS[:2], {})
        store.record(FIRST, seconds=2.0)
        for index in (1, 7):
            with pytest.raises(sqlite3.IntegrityError):
                store.record(replace(SECOND, index=index), seconds=3.0)
            with pytest.raises(sqlite3.IntegrityError):
                store.record_finalist(7, OK)
        assert [trial.measurement for trial in store.trials(SPACE)] == [None, FAILED]
        assert store.meta["seconds"] == 2.0


def test_only_results_are_stored(path: Path) -> None:
    interrupted = Measurement(status="interrupted", reason="signal")
    with RunStore(path) as store:
        store.propose(TRIALS[:2], {})
        for trial in (replace(FIRST, measurement=interrupted), replace(FIRST, measurement=None)):
            with pytest.raises(ValueError, match="not a result"):
                store.record(trial)
        with pytest.raises(ValueError, match="not a result"):
            store.record_finalist(0, interrupted)
        with pytest.raises(ValueError, match="its place"):
            store.record(replace(FIRST, place=None))


def test_what_is_no_text_is_stored_as_text(path: Path) -> None:
    strange = replace(FAILED, reason="\udcff broke", details="caf\udce9")
    with RunStore(path) as store:
        store.propose(TRIALS[:2], {})
        store.record(replace(FIRST, measurement=strange))
        store.propose([replace(TRIALS[2], predicted=float("nan"))], {})
    with RunStore(path) as store:
        assert store.trials(SPACE)[1].measurement == replace(FAILED, reason="? broke", details="caf?")
        assert store.trials(SPACE)[2].predicted is None


def test_readers_do_not_disturb_a_writer(path: Path) -> None:
    def seen() -> list[Trial]:
        with RunStore(path, writable=False) as reader:
            return reader.trials(SPACE)

    with RunStore(path) as writer:
        writer.propose(TRIALS[:2], {})
        assert seen() == TRIALS[:2]
        writer.record(FIRST)
        assert seen() == [TRIALS[0], FIRST]
        writer.record(SECOND)
    assert seen() == [SECOND, FIRST]
    assert {file.name for file in path.parent.iterdir()} == {"run.db", "run.count"}


def test_reading_leaves_no_files(path: Path) -> None:
    with RunStore(path, writable=False) as store, pytest.raises(ValueError, match="not open to be written"):
        store.note(seconds=1.0)
    assert [file.name for file in path.parent.iterdir()] == ["run.db"]


def test_rows_of_another_space(path: Path) -> None:
    with RunStore(path) as store:
        store.propose(TRIALS[:2], {})
        store.add_prior([(toy("fine", 9), OK, "a.csv")])
        for positions in ([Position("x", ("a", "b"))], [Position("x", ("a", "b")), Position("y", ("a", "b"))]):
            for read in (store.trials, store.prior):
                with pytest.raises(InputError, match=r"run\.db is damaged: toy architecture"):
                    read(GenericSpace(positions, "toy"))


def test_meta_data_are_json(path: Path) -> None:
    with RunStore(path) as store:
        store.note(odd={1: path, "flag": True, "none": None})
        assert store.meta["odd"] == {"1": str(path), "flag": True, "none": None}
        assert json.dumps(store.meta, allow_nan=False)
