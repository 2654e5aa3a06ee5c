"""Where files are kept that can be made again: in the user's cache, or where that takes none, among temporary files."""

from __future__ import annotations

import errno
import logging
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from naopt.files import make_folder, whole_file

_log = logging.getLogger(__name__)
_said: set[str] = set()


def cache_directory() -> Path:
    """``NAOPT_CACHE``, or ``naopt`` in the user's cache directory.

    Raises:
        FileNotFoundError: the user has no home directory, as in many containers.
    """
    given = os.environ.get("NAOPT_CACHE")
    if given:
        return Path(given)
    base = os.environ.get("XDG_CACHE_HOME")
    try:
        return (Path(base) if base else Path.home() / ".cache") / "naopt"
    except RuntimeError as error:
        raise FileNotFoundError(errno.ENOENT, "there is no home directory") from error


def kept(name: str) -> Iterator[Path]:
    """Where a file of that name may lie, the likelier place first. It need not be there, and may be damaged."""
    for place in (cache_directory, _temporary_directory):
        try:
            folder = place()
        except OSError:
            continue
        yield folder / name


def keep(name: str, write: Callable[[Path], None]) -> None:
    """Writes a file whole, where it can be written; what stands in the way is said once, as a warning of the log.

    Args:
        name: of the file; other processes may write the same at the same time.
        write: writes it to a path.
    """
    reasons = []
    for place in (cache_directory, _temporary_directory):
        folder = None
        try:
            folder = place()
            make_folder(folder)
            with whole_file(folder / name, contested=True) as part:
                write(part)
        except OSError as error:
            reason = str(error.strerror or error)
            reasons.append(reason if folder is None else f"{folder}: {reason}")
        else:
            if reasons:
                _say(f"no file can be kept in the cache ({reasons[0]}): they are kept in {folder}")
            return
    _say(f"no file can be kept in the cache ({'; '.join(reasons)}): every process makes them again")


def _temporary_directory() -> Path:
    """A folder of this user's own. Raises ``OSError`` if there cannot be one, or it is another user's."""
    user = getattr(os, "getuid", lambda: 0)()
    folder = Path(tempfile.gettempdir()) / f"naopt-{user}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != user:
        raise PermissionError(errno.EPERM, "belongs to another user", str(folder))
    return folder


def _say(line: str) -> None:
    if line not in _said:
        _said.add(line)
        _log.warning("%s; NAOPT_CACHE names another folder", line)
