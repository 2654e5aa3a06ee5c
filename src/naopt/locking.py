"""One process at a time in a run's directory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from naopt.errors import InputError


@contextmanager
def locked(path: Path, doing: str) -> Iterator[None]:
    """Holds a lock file. Raises ``InputError`` if another process does; ``doing`` is what, ``executed`` say."""
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise InputError("run", str(path.parent), f"is being {doing} by another process") from None
    try:
        yield
    finally:
        lock.release()
