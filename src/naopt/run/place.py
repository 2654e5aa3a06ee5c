"""The directory that a new run is made in: one that is not there yet, or an empty one, which is filled where it is."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from naopt.errors import InputError
from naopt.files import make_folder
from naopt.locking import locked
from naopt.run.names import CONFIG, LOCK
from naopt.store.store import DATABASE

_NOTHING = {
    "lost+found",
    LOCK,
    f"{CONFIG}.part",
    *(f"{DATABASE}.part{end}" for end in ("", "-wal", "-shm", "-journal")),
}
"""What an empty directory may hold: what a new volume has, and what is left of a run that was killed while it began."""


def check_free(directory: Path) -> None:
    """Raises ``InputError`` if a run cannot be made there: something else is there, or one may not look."""
    try:
        if not directory.exists():
            return
        free = directory.is_dir() and all(path.name in _NOTHING for path in directory.iterdir())
        hint = f"; go on with: naopt resume {directory}" if (directory / CONFIG).is_file() else ""
    except OSError as error:
        raise InputError("run", str(directory), error.strerror or "cannot be read") from error
    if not free:
        raise InputError("run", str(directory), f"exists and is not an empty directory{hint}")


@contextmanager
def made(directory: Path) -> Iterator[None]:
    """Within it the files of a run are written, and nobody else's. If that fails, nothing is left of them.

    Raises:
        InputError: as ``check_free``; or the directory or the files cannot be made.
    """
    check_free(directory)
    new = not directory.exists()
    try:
        make_folder(directory)
        with locked(directory / LOCK, "begun"):
            check_free(directory)
            try:
                yield
            except BaseException:
                for name in (CONFIG, DATABASE, *_NOTHING - {"lost+found"}):
                    (directory / name).unlink(missing_ok=True)
                raise
    except BaseException as error:
        if new:
            with suppress(OSError):
                directory.rmdir()
        if isinstance(error, OSError):
            raise InputError("run", str(directory), error.strerror or "cannot be made") from error
        if isinstance(error, sqlite3.Error):
            raise InputError("run", str(directory), f"cannot be made: {error}") from error
        raise
