"""One process at a time in a run's directory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from naopt.errors import InputError


class UnlockableError(InputError):
    """A folder takes no lock: it cannot be written to."""


@contextmanager
def locked(path: Path, doing: str, seconds: float = 0.0) -> Iterator[None]:
    """Holds a lock file.

    Args:
        path: of the file.
        doing: what for, ``executed`` say.
        seconds: how long to wait for another process that holds it.

    Raises:
        InputError: another process still holds it.
        UnlockableError: the file cannot be made or written to.
    """
    lock = FileLock(path)
    try:
        lock.acquire(timeout=seconds)
    except Timeout:
        raise InputError("run", str(path.parent), f"is being {doing} by another process") from None
    except OSError as error:
        raise UnlockableError("run", str(path.parent), f"cannot be written to: {error.strerror}") from None
    try:
        yield
    finally:
        lock.release()
