"""A database that lost something is refused in one line and left as it is."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from benchmarks.durability import RESULTS, archive, cut, frame_edges, make_run

from naopt.errors import InputError
from naopt.execution import Trial
from naopt.measurement import Measurement
from naopt.store.integrity import read_counts
from naopt.store.store import RunStore, create_database
from tests.run.toys import SPACE, toy
from tests.store.databases import rewrite


@pytest.mark.parametrize("merged", [30, RESULTS])
def test_whatever_is_cut_off_is_noticed(tmp_path: Path, merged: int) -> None:
    """``python -m benchmarks.durability truncate`` does it at every byte."""
    whole = make_run(tmp_path / "run", merged)
    assert archive(tmp_path / "run") == whole
    outcomes = cut(tmp_path / "run", "run.db", range(0, (tmp_path / "run" / "run.db").stat().st_size, 101), whole)
    if merged < RESULTS:
        size = (tmp_path / "run" / "run.db-wal").stat().st_size
        outcomes += cut(tmp_path / "run", "run.db-wal", frame_edges(size) | set(range(0, size, 101)), whole)
        outcomes += cut(tmp_path / "run", "run.db-wal", range(0, size, size // 10), whole, writable=True)
        assert outcomes["opened"] > 0
    assert outcomes["refused"] > 100
    assert outcomes["wrong"] == 0


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("finished") / "run"
    make_run(directory, RESULTS)
    return directory


@pytest.fixture
def run(tmp_path: Path, finished: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "run"))


def test_it_says_what_is_missing(tmp_path: Path, run: Path) -> None:
    killed = tmp_path / "killed"
    make_run(killed, 20)
    (killed / "run.db-wal").unlink()
    with pytest.raises(InputError, match=r"run\.db is damaged: 20 of 50 acknowledged results are there$"):
        RunStore(killed / "run.db")
    shutil.copy(run / "run.db", tmp_path / "copy")
    with RunStore(run / "run.db") as store:
        store.note(exhausted=True)
    shutil.copy(tmp_path / "copy", run / "run.db")
    with pytest.raises(InputError, match="105 of 106 acknowledged transactions are there"):
        RunStore(run / "run.db")


@pytest.mark.parametrize("content", [None, b"", b"           1            1", b"x" * 200])
def test_without_counts_a_database_is_taken_as_it_is(run: Path, content: bytes | None) -> None:
    with RunStore(run / "run.db") as store:
        before = store.meta
    counts = (run / "run.count").read_bytes()
    if content is None:
        (run / "run.count").unlink()
    else:
        (run / "run.count").write_bytes(content)
    with RunStore(run / "run.db") as store:
        assert store.meta == before
    assert (run / "run.count").read_bytes()[: len(counts)] == counts


def test_more_than_was_acknowledged_is_fine(run: Path) -> None:
    counts = (run / "run.count").read_bytes()
    with RunStore(run / "run.db") as store:
        store.note(exhausted=True)
    (run / "run.count").write_bytes(counts)
    with RunStore(run / "run.db") as store:
        assert store.meta["exhausted"]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE results SET seconds = seconds + 1 WHERE trial = 3",
        "UPDATE proposals SET tokens = '[0, 0, 0, 0, 0, 1]' WHERE trial = 3",
        "UPDATE meta SET value = '1.0' WHERE key = 'seconds'",
        "UPDATE rounds SET log = '{}' WHERE round = 3",
        "UPDATE finalists SET crc = NULL OR 1 WHERE trial = 9",
        "UPDATE results SET place = x'00' WHERE trial = 3",
        "DELETE FROM proposals WHERE trial = 3",
        "DELETE FROM rounds WHERE round = 3",
        "DELETE FROM proposals WHERE trial = 49",
        "DROP TABLE prior",
    ],
)
@pytest.mark.parametrize("counted", [True, False])
def test_rows_that_are_not_as_they_were_written(run: Path, change: str, counted: bool) -> None:
    with closing(sqlite3.connect(run / "run.db")) as connection, connection:
        connection.execute(change)
    if not counted:
        (run / "run.count").unlink()
    with pytest.raises(InputError, match=r"run\.db is damaged"):
        RunStore(run / "run.db")


@pytest.mark.parametrize("tokens", ["[0, 99]", "nonsense", "3", "[0, 0, 0, 0, 0, true]", "[0, 0, 0, 0, 0, 1.5]"])
def test_rows_that_were_not_written_by_us(run: Path, tokens: str) -> None:
    rewrite(run, f"UPDATE proposals SET tokens = '{tokens}' WHERE trial = 3")
    with pytest.raises(InputError, match=r"run\.db is damaged"):
        archive(run)


@pytest.mark.parametrize("content", [b"", b"short", b"not a database, but long enough to look like one" * 20])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "run.db").write_bytes(content)
    (tmp_path / "run.db-wal").write_bytes(b"log")
    with pytest.raises(InputError, match=r"run\.db is (not a run's database: it has|damaged: file is not a database)"):
        RunStore(tmp_path / "run.db")
    assert (tmp_path / "run.db").read_bytes() == content
    assert (tmp_path / "run.db-wal").read_bytes() == b"log"


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has no run\.db; it is not a run's directory"):
        RunStore(tmp_path / "run.db")


@pytest.mark.parametrize("version", ["3", '"x"', "null"])
def test_another_format(tmp_path: Path, version: str) -> None:
    create_database(tmp_path / "run.db", {})
    with closing(sqlite3.connect(tmp_path / "run.db")) as connection, connection:
        connection.execute("UPDATE meta SET value = ? WHERE key = 'format'", (version,))
    with pytest.raises(InputError, match=r"has format .*, this naopt reads up to 2"):
        RunStore(tmp_path / "run.db")


def test_a_database_without_format(tmp_path: Path) -> None:
    create_database(tmp_path / "run.db", {})
    rewrite(tmp_path, "DELETE FROM meta")
    with pytest.raises(InputError, match="is not a run's database: it has no format"):
        RunStore(tmp_path / "run.db")


def test_what_may_not_be_on_the_disk_yet_is_not_acknowledged(tmp_path: Path) -> None:
    create_database(tmp_path / "run.db", {})
    trial = Trial(0, 0, toy("fine", 3), SPACE.format(toy("fine", 3)), "random")
    with RunStore(tmp_path / "run.db") as store:
        store.propose([trial], {})
        assert read_counts(tmp_path / "run.count") == (0, 0, 0, 0)
        store.record(replace(trial, measurement=Measurement({"score": 1.0}), place=0))
        assert read_counts(tmp_path / "run.count") == (2, 1, 1, 0)
