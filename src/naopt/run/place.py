"""The directory that a new run is made in: one that is not there yet, or an empty one, which is filled where it is."""

from __future__ import annotations

import errno
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from naopt.errors import InputError
from naopt.files import make_folder, refuse_dangling
from naopt.locking import locked
from naopt.run.names import BELIEFS, CONFIG, LOCK
from naopt.store.store import DATABASE

_NOTHING = {"lost+found", ".DS_Store", "Thumbs.db", "desktop.ini"}
"""What an empty directory may hold: what volumes and file managers put there."""
_LEFT = {
    LOCK,
    f"{CONFIG}.part",
    f"{BELIEFS}.part",
    *(f"{DATABASE}.part{end}" for end in ("", "-wal", "-shm", "-journal")),
}
"""And what is left of a run that was killed while it began."""


def check_free(directory: Path) -> None:
    """Raises ``InputError`` if a run cannot be made there: something else is there, or one may not look."""
    try:
        if not directory.exists():
            return
        free = directory.is_dir() and all(path.name in _NOTHING | _LEFT for path in directory.iterdir())
        hint = f"; go on with: naopt resume {directory}" if (directory / CONFIG).is_file() else ""
    except OSError as error:
        raise InputError("run", str(directory), error.strerror or "cannot be read") from error
    if not free:
        raise InputError("run", str(directory), f"exists and is not an empty directory{hint}")


@contextmanager
def made(directory: Path) -> Iterator[Path]:
    """A folder for the files of a new run: ``directory`` when the block ends, whole; if it fails, nothing is left.

    A directory that is not there is made beside itself and renamed. An empty one stays what it is, a mounted volume or
    the folder that a shell is in, and is filled while it is locked; what makes it a run has to be written last.

    Raises:
        InputError: as ``check_free``; or the directory or the files cannot be made.
    """
    check_free(directory)
    try:
        with _filled(directory) if directory.exists() else _renamed(directory) as place:
            yield place
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):  # another one was quicker
            check_free(directory)
        raise InputError("run", str(directory), error.strerror or "cannot be made") from error
    except sqlite3.Error as error:
        raise InputError("run", str(directory), f"cannot be made: {error}") from error


@contextmanager
def _renamed(directory: Path) -> Iterator[Path]:
    make_folder(directory.parent)
    refuse_dangling(directory)
    draft = Path(tempfile.mkdtemp(prefix=f".{directory.name}-", dir=directory.parent))
    try:
        draft.chmod(0o755)
        yield draft
        draft.replace(directory)
    except BaseException:
        shutil.rmtree(draft)
        raise


@contextmanager
def _filled(directory: Path) -> Iterator[Path]:
    with locked(directory / LOCK, "begun"):
        check_free(directory)
        try:
            yield directory
        except BaseException:
            for name in (BELIEFS, CONFIG, DATABASE, *_LEFT):
                (directory / name).unlink(missing_ok=True)
            raise
