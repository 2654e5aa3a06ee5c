"""Folders that one may only read, and disks that are full."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from benchmarks.durability import RESULTS, SPACE, archive, make_run, trial

from naopt.errors import InputError, RunStoppedError
from naopt.measurement import Measurement
from naopt.store import integrity
from naopt.store.store import RunStore, create_database
from tests.full_disk import full_disk

READ = """
import sys
from pathlib import Path
from benchmarks.durability import archive
from naopt.errors import InputError

for directory in map(Path, sys.argv[1:]):
    print(len(archive(directory)[2]))
    try:
        archive(directory, writable=True)
    except InputError as error:
        print(error)
"""


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="needs users")
def test_folders_that_one_may_only_read(tmp_path: Path) -> None:
    names = ("finished", "killed", "copied")
    folders = [tmp_path / name for name in names]
    for folder in folders:
        make_run(folder, RESULTS if folder.name == "finished" else 30)
        if folder.name == "copied":
            (folder / "run.db-shm").unlink()
    files = {file: file.read_bytes() for folder in folders for file in folder.iterdir()}
    for path in (*files, *folders):
        path.chmod(0o555)
    command = [sys.executable, "-c", READ, *map(str, folders)]
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("root may write everywhere, and there is no setpriv")
        command = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", *command]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    for folder in folders:
        folder.chmod(0o755)
    refusals = [f"run '{folder}': run.db cannot be written: Permission denied" for folder in folders]
    assert said.stdout.splitlines() == [line for refusal in refusals for line in ("50", refusal)], said.stderr
    assert {file: file.read_bytes() for folder in folders for file in folder.iterdir()} == files


@pytest.mark.parametrize("name", ["run.db", "."])
def test_the_cause_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    create_database(tmp_path / "run.db", {})
    access = os.access
    monkeypatch.setattr(os, "access", lambda p, how: access(p, how) and not (how == os.W_OK and p == tmp_path / name))
    with RunStore(tmp_path / "run.db", writable=False) as store:
        assert store.rounds == []
    with pytest.raises(InputError, match=r"run\.db cannot be written: Permission denied"):
        RunStore(tmp_path / "run.db")


def test_a_file_that_one_may_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    create_database(tmp_path / "run.db", {})
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(InputError, match=r"run\.db cannot be read: Permission denied"):
        RunStore(tmp_path / "run.db", writable=False)


def test_counts_that_cannot_be_written(tmp_path: Path) -> None:
    create_database(tmp_path / "run.db", {})
    (tmp_path / "run.count").mkdir()
    with pytest.raises(InputError, match=r"run\.db cannot be written: Is a directory"):
        RunStore(tmp_path / "run.db")


def test_a_full_disk_stops_the_run(tmp_path: Path) -> None:
    whole = make_run(tmp_path / "run", RESULTS)
    rng = np.random.default_rng(1)
    with RunStore(tmp_path / "run" / "run.db") as store:
        assert store._connection is not None
        store._connection.execute("PRAGMA max_page_count = 1")
        with pytest.raises(RunStoppedError, match=r"cannot write run\.db: database or disk is full"):
            store.propose([trial(SPACE, RESULTS, rng)], {"long": "x" * 10000})
        assert store.trials(SPACE) == whole[2]
    assert archive(tmp_path / "run") == whole


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_disk_that_is_too_full_to_acknowledge(tmp_path: Path) -> None:
    create_database(tmp_path / "run.db", {})
    (tmp_path / "run.count").symlink_to("/dev/full")
    with pytest.raises(RunStoppedError, match=r"cannot write run\.db: No space left on device"):
        RunStore(tmp_path / "run.db")


def test_a_database_that_breaks_while_it_is_written_stops_the_run(tmp_path: Path) -> None:
    make_run(tmp_path / "run", RESULTS)
    with RunStore(tmp_path / "run" / "run.db") as store:
        with (tmp_path / "run" / "run.db").open("r+b") as file:
            file.write(b"nonsense" * 2000)
        with pytest.raises(RunStoppedError, match=r"cannot write run\.db: "):
            store.record_finalist(0, Measurement({"valid_acc": 0.5}, 1.0))


def test_two_writers_do_not_wait_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    create_database(tmp_path / "run.db", {})
    with RunStore(tmp_path / "run.db") as one, RunStore(tmp_path / "run.db") as two:
        assert one._connection is not None
        assert two._connection is not None
        two._connection.execute("PRAGMA busy_timeout = 1")
        one._connection.execute("BEGIN IMMEDIATE")
        with pytest.raises(RunStoppedError, match=r"cannot write run\.db: database is locked"):
            two.note(a=1)
        one._connection.execute("ROLLBACK")
        assert two.meta == {"format": 2}


@pytest.mark.parametrize("temporary", ["takes it", "full"])
def test_a_disk_that_is_too_full_for_the_index_of_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, temporary: str
) -> None:
    """The log is read from a copy elsewhere; if there is no room either, the line says that and blames no database."""
    make_run(tmp_path / "run", 30)
    path = tmp_path / "run" / "run.db"
    path.with_name("run.db-shm").unlink()
    files = {file: file.read_bytes() for file in path.parent.iterdir()}

    def no_room(connection: sqlite3.Connection) -> bool:
        with full_disk():
            return begins(connection)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    begins = integrity._begins
    monkeypatch.setattr(integrity, "_begins", no_room)
    if temporary == "full":
        monkeypatch.setattr("shutil.copyfile", full)
        with pytest.raises(InputError, match=r"run\.db cannot be read: No space left on device"):
            RunStore(path, writable=False)
    else:
        with RunStore(path, writable=False) as store:
            assert len(store.trials(SPACE)) == 50
    assert {file: file.read_bytes() for file in files} == files


@pytest.mark.parametrize(
    ("code", "rule"),
    [(sqlite3.SQLITE_IOERR_READ, "cannot be read"), (sqlite3.SQLITE_NOTADB, "is not a run's database")],
)
def test_a_disk_that_fails_is_no_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, rule: str) -> None:
    def broken(connection: sqlite3.Connection) -> None:
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = code
        raise error

    create_database(tmp_path / "run.db", {})
    monkeypatch.setattr("naopt.store.schema.version", broken)
    with pytest.raises(InputError, match=rf"run\.db {rule}: disk I/O error"):
        RunStore(tmp_path / "run.db", writable=False)
