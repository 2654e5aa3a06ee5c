"""Files in tar and zip archives, read in place."""

from __future__ import annotations

import lzma
import posixpath
import stat
import tarfile
import zipfile
import zlib
from abc import abstractmethod
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np

from naopt.errors import InputError
from naopt.tasks.parts import part_named
from naopt.tasks.trees import Files, Tree, encode, hidden


class ArchiveTree(Tree):
    """An archive; a folder that holds everything counts as the root, and a link as what it leads to."""

    def __init__(self, source: str) -> None:
        super().__init__(source)
        self._places: dict[str, tuple[int, int]] = {}
        self._links: set[str] = set()

    @abstractmethod
    def _list(self, folders: set[str], links: dict[str, str]) -> Mapping[str, tuple[int, int]]:
        """Where each file lies, by path; adds to the folders, and to the links paths and where those lead."""

    def entries(self) -> tuple[list[str], list[str]]:
        """See ``Tree.entries``. Raises ``InputError`` for an archive that is damaged."""
        folders: set[str] = set()
        links: dict[str, str] = {}
        files = {path: place for path, place in self._list(folders, links).items() if not hidden(path.split("/"))}
        whole, linked = dict(files), set(links)
        for path in links:
            end = path
            for _ in range(len(links)):
                end = links.get(end, end)
            if hidden(path.split("/")):
                continue
            if end in files:
                files[path] = files[end]
            below = {f"{path}{name[len(end) :]}": place for name, place in whole.items() if name.startswith(f"{end}/")}
            files |= below
            linked |= below.keys()
        folders = {path for path in folders if not hidden(path.split("/"))}
        for path in {path.rpartition("/")[0] for path in (*files, *folders)}:
            parts = path.split("/")
            folders.update("/".join(parts[:length]) for length in range(1, len(parts) + 1))
        folders.discard("")
        tops = {path.partition("/")[0] for path in (*files, *folders)}
        root = ""
        if len(tops) == 1 and not any(map(part_named, tops)) and any("/" in path for path in folders):
            root = f"{tops.pop()}/"
        self._places = {path.removeprefix(root): place for path, place in files.items()}
        self._links = {path.removeprefix(root) for path in linked}
        return sorted(self._places), sorted(path.removeprefix(root) for path in folders if path.startswith(root))

    def identity(self, path: str) -> Hashable:
        """See ``Tree.identity``."""
        return self._places[path]

    def linked(self, path: str) -> bool:
        """See ``Tree.linked``."""
        return path in self._links


class TarTree(ArchiveTree):
    """A tar archive, compressed or not."""

    def _list(self, folders: set[str], links: dict[str, str]) -> Mapping[str, tuple[int, int]]:
        files: dict[str, tuple[int, int]] = {}
        with self._open() as archive:
            for member in archive:
                path = _clean(member.name)
                if member.isdir():
                    folders.add(path)
                elif member.isfile():
                    files[path] = member.offset_data, member.size
                elif member.islnk():
                    links[path] = _clean(member.linkname)
                elif member.issym():
                    links[path] = _beside(path, member.linkname)
            assert archive.fileobj is not None
            if archive.fileobj.tell() <= archive.offset:  # where the block that ends it was looked for
                raise InputError("archive", self.source, "has no end: it was cut where a file ends; get it again")
        return files

    def read(self, paths: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """See ``Tree.read``; one pass forward through the archive, without reading its headers again."""
        with self._open() as archive:
            assert archive.fileobj is not None
            for path in sorted(paths, key=self._places.__getitem__):
                offset, size = self._places[path]
                archive.fileobj.seek(offset)
                yield path, archive.fileobj.read(size)

    def open_files(self, paths: Sequence[str]) -> Files:
        """See ``Tree.open_files``; a compressed archive is refused."""
        try:
            with tarfile.open(self.source, "r:"):
                pass
        except (tarfile.TarError, OSError):
            rule = "is compressed, so its images cannot be streamed; unpack it"
            raise InputError("archive", self.source, rule) from None
        places = np.array([self._places[path] for path in paths], dtype=np.int64).reshape(-1, 2)
        return Files(self.source, encode(paths), places)

    @contextmanager
    def _open(self) -> Iterator[tarfile.TarFile]:
        try:
            with tarfile.open(self.source) as archive:
                yield archive
        except (tarfile.TarError, EOFError, OSError, zlib.error, lzma.LZMAError) as error:
            raise InputError("archive", self.source, f"cannot be read: {error}") from error


class ZipTree(ArchiveTree):
    """A zip archive."""

    def __init__(self, source: str) -> None:
        super().__init__(source)
        self._names: dict[tuple[int, int], str] = {}

    def _list(self, folders: set[str], links: dict[str, str]) -> Mapping[str, tuple[int, int]]:
        files: dict[str, tuple[int, int]] = {}
        with self._open() as archive:
            for member in archive.infolist():
                # Some programs of Windows write its own separator.
                path = _clean(member.filename.replace("\\", "/"))
                place = member.header_offset, member.file_size
                self._names[place] = member.filename
                if member.filename.endswith(("/", "\\")):
                    folders.add(path)
                elif stat.S_ISLNK(member.external_attr >> 16):
                    links[path] = _beside(path, archive.read(member).decode("utf-8", "replace"))
                else:
                    files[path] = place
        return files

    def read(self, paths: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """See ``Tree.read``."""
        with self._open() as archive:
            for path in sorted(paths, key=self._places.__getitem__):
                yield path, archive.read(self._names[self._places[path]])

    def open_files(self, paths: Sequence[str]) -> Files:  # noqa: ARG002
        """See ``Tree.open_files``; refused."""
        raise InputError("archive", self.source, "is a zip archive, so its images cannot be streamed; unpack it")

    @contextmanager
    def _open(self) -> Iterator[zipfile.ZipFile]:
        try:
            with zipfile.ZipFile(self.source) as archive:
                yield archive
        except (zipfile.BadZipFile, EOFError, OSError, RuntimeError, zlib.error, lzma.LZMAError) as error:
            # A password that is wanted is a RuntimeError, and so is a method of compression that is not known.
            raise InputError("archive", self.source, f"cannot be read: {error}") from error


def _clean(path: str) -> str:
    return "/".join(part for part in path.split("/") if part not in ("", "."))


def _beside(path: str, target: str) -> str:
    """Where a link at ``path`` leads."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
