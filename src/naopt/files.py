"""Files that are always whole: after an error, a kill or a loss of power there is the old one or the new one."""

from __future__ import annotations

import errno
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_OS_ERROR = re.compile(r"\(os error (\d+)\)")
"""How libraries in Rust, such as safetensors, say what the system said."""


class NotWrittenError(OSError):
    """A file could not be written, ``filename``; it is as it was. Who makes room, or gets the right, can go on."""

    @property
    def line(self) -> str:
        """What happened, in one line."""
        return f"cannot write {self.filename}: {self.strerror}"


def is_full(error: OSError) -> bool:
    """Whether there is no room: the disk is full, or a quota is spent."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


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
        NotWrittenError: it cannot be written. Then, and after any other error, the draft is gone and the file is as it
            was.
    """
    path = Path(path)
    with writing(path):
        if is_stream(path) or path.is_dir():
            yield path
            return
        whole = path.resolve()
        part = whole.with_name(f"{whole.name}.{secrets.token_hex(4)}.part" if contested else f"{whole.name}.part")
        part.unlink(missing_ok=True)
        part.touch()
        mode = part.stat().st_mode
        try:
            yield part
            part.chmod(mode)  # some libraries make files that nobody else can read
            move_into_place(part, whole)
        except BaseException:
            part.unlink(missing_ok=True)
            raise


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Within it only this file is written: what the system says against that becomes a ``NotWrittenError``."""
    try:
        yield
    except NotWrittenError:
        raise
    except OSError as error:
        raise NotWrittenError(error.errno, error.strerror or str(error), str(path)) from error
    except Exception as error:
        if (found := _OS_ERROR.search(str(error))) is None:
            raise
        number = int(found[1])
        raise NotWrittenError(number, os.strerror(number), str(path)) from error


def move_into_place(draft: Path, path: Path) -> None:
    """Gives a file that was written beside another the name of that other; it is on the disk when this returns.

    Raises:
        OSError: it cannot be done; the other file is as it was.
    """
    with draft.open("rb+") as file:
        os.fsync(file.fileno())
    draft.replace(path)
    _keep_names(path.parent)


def at_home(path: str | Path) -> str:
    """A path in which ``~`` is the user's home directory; as it is where there is none."""
    return os.path.expanduser(path)  # noqa: PTH111 - a path's own way raises where there is no home


def is_there(path: str | Path) -> bool:
    """Whether there is something; text that cannot be a path is nothing. Raises ``OSError`` where one may not look."""
    try:
        Path(path).stat()
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP):
            return False
        raise
    except ValueError:
        return False
    return True


def is_stream(path: Path) -> bool:
    """Whether it is something to write to that is no file: a pipe, or ``/dev/stdout``, wherever that leads."""
    return path.parts[:2] == ("/", "dev") or (path.exists() and not path.is_file() and not path.is_dir())


def make_folder(path: Path) -> None:
    """Makes a folder, and those above it, where it is not there yet. Raises ``OSError``, which says why not."""
    refuse_dangling(path)
    path.mkdir(parents=True, exist_ok=True)


def refuse_dangling(path: Path) -> None:
    """Raises ``FileNotFoundError`` for a link to what is not there: a volume that is not mounted, say."""
    if path.is_symlink() and not path.exists():
        raise FileNotFoundError(errno.ENOENT, f"is a link to {path.readlink()}, which is not there", str(path))


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
    """Writes a text file in UTF-8, whole or not at all. Raises ``NotWrittenError``.

    A ``?`` stands for each byte of a file's name that is no UTF-8, which Python has as a lone surrogate.
    """
    write_bytes(path, text.encode(errors="replace"))


def write_bytes(path: Path, content: bytes) -> None:
    """Writes a file whole or not at all. Raises ``NotWrittenError``."""
    with whole_file(path) as part:
        part.write_bytes(content)


def append_line(path: Path, line: str) -> None:
    """Adds a line to a file that is made if it is not there, whole or not at all. Raises ``NotWrittenError``."""
    with writing(path), path.open("ab", buffering=0) as file:
        before, left = file.tell(), memoryview(f"{line}\n".encode())
        try:
            while left:
                left = left[file.write(left) :]
        except OSError:
            file.truncate(before)
            raise


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
