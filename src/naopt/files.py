"""Files that are always whole: after an error, a kill or a loss of power there is the old one or the new one."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_file(path: str | Path, *, contested: bool = False) -> Iterator[Path]:
    """A draft beside the file, for whatever writes files itself; it takes the file's place when the block ends.

    A link is followed. What is no file, such as ``/dev/stdout``, is handed out itself.

    Args:
        path: of the file; it is replaced.
        contested: whether several processes may write it at once. Their drafts then have different names, and those
            of killed processes stay; otherwise the draft is ``path`` and ``.part``, which the next one replaces.

    Yields:
        Where to write. Its name ends in ``.part``; the file need not be closed before, nor need it be there.

    Raises:
        OSError: it cannot be written. Then, and after any other error, the draft is gone and the file is as it was.
    """
    path = Path(path)
    if path.exists() and not path.is_file():
        yield path
        return
    path = path.resolve()
    part = path.with_name(f"{path.name}.{os.getpid()}.part" if contested else f"{path.name}.part")
    part.unlink(missing_ok=True)
    part.touch()
    mode = part.stat().st_mode
    try:
        yield part
        part.chmod(mode)  # some libraries make files that nobody else can read
        move_into_place(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def move_into_place(draft: Path, path: Path) -> None:
    """Gives a file that was written beside another the name of that other; it is on the disk when this returns.

    Raises:
        OSError: it cannot be done; the other file is as it was.
    """
    with draft.open("rb+") as file:
        os.fsync(file.fileno())
    draft.replace(path)
    _keep_names(path.parent)


@contextmanager
def utf8_path(path: Path) -> Iterator[Path]:
    """The path of a file that is there, for libraries that open none whose name is no UTF-8. Raises ``OSError``."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        number = os.open(path, os.O_RDONLY)
        try:
            yield Path(f"/dev/fd/{number}")
        finally:
            os.close(number)
    else:
        yield path


def write_text(path: Path, text: str) -> None:
    """Writes a text file in UTF-8, whole or not at all. Raises ``OSError`` if it cannot be written.

    A ``?`` stands for each byte of a file's name that is no UTF-8, which Python has as a lone surrogate.
    """
    write_bytes(path, text.encode(errors="replace"))


def write_bytes(path: Path, content: bytes) -> None:
    """Writes a file whole or not at all. Raises ``OSError`` if it cannot be written."""
    with whole_file(path) as part:
        part.write_bytes(content)


def _keep_names(folder: Path) -> None:
    """Has the names of a folder's files on the disk, where folders can be opened and synchronised."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(number)
