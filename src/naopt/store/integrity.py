"""Databases that notice what they lost: how much was acknowledged, and reading without changing anything."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple, TypeVar

T = TypeVar("T")


class Counts(NamedTuple):
    """How much a run's database holds."""

    transactions: int
    proposals: int
    results: int
    finalists: int

    def missing(self, found: Counts) -> str | None:
        """What of these acknowledged ones is not among ``found``, in one line; ``None`` if all is there."""
        for name in ("results", "finalists", "proposals", "transactions"):
            wanted, there = getattr(self, name), getattr(found, name)
            if there < wanted:
                return f"{there} of {wanted} acknowledged {name} are there"
        return None


_NO_INDEX = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL)
_LINE = "{:>12} {:>12} {:>12} {:>12}"
_WIDTH = len(_LINE.format(0, 0, 0, 0)) + len(" 01234567\n")


def read_counts(path: Path) -> Counts | None:
    """What was acknowledged; ``None`` without such a file (an old run, or a copy), or if it is not whole."""
    try:
        with path.open("rb") as file:
            line = file.read(_WIDTH)
    except OSError:
        return None
    body, _, crc = line.rpartition(b" ")
    return Counts(*map(int, body.split())) if crc == b"%08x\n" % zlib.crc32(body) else None


def write_counts(file: int, counts: Counts) -> None:
    """Acknowledges so much, in one line of fixed width with a check.

    The file is not synchronised: the database was before, so on the disk the line is never ahead of it.

    Raises:
        OSError: it cannot be written.
    """
    body = _LINE.format(*counts).encode()
    os.lseek(file, 0, os.SEEK_SET)
    os.write(file, body + b" %08x\n" % zlib.crc32(body))


def open_counts(path: Path) -> int:
    """Descriptor of the file for ``write_counts``, made if there is none. Raises ``OSError``."""
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o644)


def synchronise(path: Path) -> None:
    """Brings a database and its write-ahead log to the disk. Raises ``OSError``."""
    for file in (path, _wal(path)):
        with suppress(FileNotFoundError), file.open("rb+") as opened:
            os.fsync(opened.fileno())


def read_unchanged(path: Path, read: Callable[[sqlite3.Connection], T]) -> T:
    """What ``read`` finds in a database as it stands; neither it nor its write-ahead log is changed.

    Its folder may be one that cannot be written to; another process may be writing.

    Raises:
        sqlite3.DatabaseError: it cannot be read.
        OSError: it cannot be copied, where it can be read from a copy only.
    """
    while True:
        before, shared = _state(path), False
        try:
            with _connected(path) as (connection, shared):
                found = read(connection)
        except Exception:
            if shared or _state(path) == before:
                raise
        else:
            if shared or _state(path) == before:
                return found


@contextmanager
def _connected(path: Path) -> Iterator[tuple[sqlite3.Connection, bool]]:
    """A connection, and whether it keeps writers from changing under it what it reads."""
    if not _wal(path).exists():
        with closing(_connect(path, "immutable=1")) as connection:
            yield connection, False
        return
    with closing(_connect(path, "mode=ro")) as connection:
        if _begins(connection):
            yield connection, True
            return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / path.name
        for source, target in ((path, copy), (_wal(path), _wal(copy))):
            if source.exists():
                shutil.copyfile(source, target)
        with closing(_connect(copy, "mode=ro")) as connection:
            yield connection, False


def _begins(connection: sqlite3.Connection) -> bool:
    """Begins to read; not where the log has no index yet and the folder takes none, or the disk none."""
    try:
        connection.execute("BEGIN")
        connection.execute("SELECT count(*) FROM sqlite_master")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF not in _NO_INDEX:
            raise
        return False
    return True


def unreadable(error: sqlite3.Error) -> bool:
    """Whether it is the machine that does not let a database be read, rather than what the file holds."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    return code & 0xFF in (*_NO_INDEX, sqlite3.SQLITE_BUSY) and code != sqlite3.SQLITE_IOERR_SHORT_READ


def _connect(path: Path, how: str) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.resolve().as_uri()}?{how}", uri=True, isolation_level=None)


def _wal(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def _state(path: Path) -> list[tuple[int, int] | None]:
    stats = [file.stat() if file.exists() else None for file in (path, _wal(path))]
    return [stat and (stat.st_size, stat.st_mtime_ns) for stat in stats]
