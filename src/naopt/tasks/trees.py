"""Files below a root: what a task reads from, be it a directory or an archive."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from naopt.errors import InputError

_CODING = ("utf-8", "surrogateescape")
_KNOWN_FROM = 2
"""Below folders of this depth, which are parts or classes, a folder is entered once, however many links lead to it."""
_SYSTEM = frozenset({"__MACOSX", "lost+found", "$RECYCLE.BIN", "System Volume Information", "@eaDir"})
"""What systems put beside a user's data."""


@dataclass(frozen=True, slots=True)
class Files:
    """Files that can be read in any order, in any process; small in memory, however many there are.

    Attributes:
        source: the directory or archive.
        paths: ``(n,)`` UTF-8, from the root of the source.
        places: ``(n, 2)`` offset and size in an archive; ``None`` for a directory.
    """

    source: str
    paths: NDArray[np.bytes_]
    places: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.paths)

    def name(self, index: int) -> str:
        """The file's name for people: source and path."""
        return f"{self.source}/{self.paths[index].decode(*_CODING)}"

    def read(self, index: int) -> bytes:
        """The file's bytes. Raises ``InputError`` if it cannot be read."""
        try:
            if self.places is None:
                return Path(self.name(index)).read_bytes()
            offset, size = map(int, self.places[index])
            with Path(self.source).open("rb") as archive:
                archive.seek(offset)
                return archive.read(size)
        except OSError as error:
            raise InputError("file", self.name(index), error.strerror or "cannot be read") from error

    def joined(self, other: Files) -> Files:
        """These and then those. Raises ``ValueError`` if they are of another source."""
        if self.source != other.source:
            raise ValueError(f"files of {self.source} and {other.source}")
        paths = np.concatenate([self.paths, other.paths])
        if self.places is None or other.places is None:
            return Files(self.source, paths)
        return Files(self.source, paths, np.concatenate([self.places, other.places]))


def encode(paths: Sequence[str]) -> NDArray[np.bytes_]:
    """Paths as ``Files`` holds them: names that are not UTF-8 come from the operating system as surrogates."""
    return np.array([path.encode(*_CODING) for path in paths], dtype=np.bytes_)


class Tree(ABC):
    """Files below a root, named by their path from it."""

    def __init__(self, source: str) -> None:
        self.source = source

    @abstractmethod
    def entries(self) -> tuple[list[str], list[str]]:
        """Paths of all files and of all folders, sorted; hidden ones are left out. Called before all else."""

    @abstractmethod
    def read(self, paths: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Path and contents of each of these files, in whatever order is fast."""

    @abstractmethod
    def open_files(self, paths: Sequence[str]) -> Files:
        """The same files for reading one by one, in any order. Raises ``InputError`` if that would be slow."""

    @abstractmethod
    def identity(self, path: str) -> Hashable:
        """What is equal for two paths of one and the same file, and of no other."""

    @abstractmethod
    def linked(self, path: str) -> bool:
        """Whether a link leads to the file, so that it lies somewhere else."""

    def other_names(self, paths: Iterable[str]) -> set[str]:
        """Those of the paths whose file has another path among them, by which it is to be read.

        That is the one without a link, and of several the first.
        """
        chosen: dict[Hashable, str] = {}
        others: set[str] = set()
        for path in paths:
            file = self.identity(path)
            first = chosen.setdefault(file, path)
            if self.linked(first) and not self.linked(path):
                chosen[file] = path
                others.add(first)
            elif first != path:
                others.add(path)
        return others


class FolderTree(Tree):
    """A directory. Links are followed, but not back to a folder that holds them."""

    def __init__(self, source: str) -> None:
        super().__init__(source)
        self._links: set[str] = set()

    def entries(self) -> tuple[list[str], list[str]]:
        """See ``Tree.entries``. Raises ``InputError`` for a folder that cannot be read."""
        files: list[str] = []
        folders: list[str] = []
        self._links = set()
        above: set[Hashable] = set()
        # Folders before links, so that what several paths lead to is found by its own.
        left = deque([("", 0, _identity(self.source), above)])
        while left:
            path, depth, mark, known = left.popleft()
            if mark in known:
                continue
            if depth <= _KNOWN_FROM:
                known = {*known, mark}
            else:
                known.add(mark)
            if path:
                folders.append(path)
            before = f"{path}/" if path else ""
            for entry in self._scan(path):
                if hidden((entry.name,)):
                    continue
                link, below = entry.is_symlink(), before + entry.name
                if link:
                    self._links.add(below)
                if _is_folder(entry):
                    (left.append if link else left.appendleft)((below, depth + 1, _identity(entry.path), known))
                elif _is_file(entry) or (link and not Path(entry.path).exists()):
                    files.append(below)
        return sorted(files), sorted(folders)

    def _scan(self, path: str) -> list[os.DirEntry[str]]:
        folder = f"{self.source}/{path}"
        try:
            with os.scandir(folder) as entries:
                return list(entries)
        except OSError as error:
            raise InputError("folder", folder.rstrip("/"), error.strerror or "cannot be read") from error

    def read(self, paths: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """See ``Tree.read``."""
        for path in paths:
            try:
                yield path, (Path(self.source) / path).read_bytes()
            except OSError as error:
                raise InputError("file", f"{self.source}/{path}", error.strerror or "cannot be read") from error

    def open_files(self, paths: Sequence[str]) -> Files:
        """See ``Tree.open_files``."""
        return Files(self.source, encode(paths))

    def identity(self, path: str) -> Hashable:
        """See ``Tree.identity``."""
        return _identity(f"{self.source}/{path}")

    def linked(self, path: str) -> bool:
        """See ``Tree.linked``."""
        if not self._links:
            return False
        ends = [place for place, character in enumerate(path) if character == "/"]
        return any(path[:end] in self._links for end in (*ends, len(path)))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _is_file(entry: os.DirEntry[str]) -> bool:
    """Whether it can be read as a file, which a pipe cannot: it would wait for ever."""
    try:
        return entry.is_file()
    except OSError:
        return True  # so that reading it says what is wrong


def _identity(path: str) -> Hashable:
    try:
        found = os.stat(path)  # noqa: PTH116 - millions of files: several times faster than a path's
    except OSError:
        return path
    return (found.st_dev, found.st_ino) if found.st_ino else os.path.realpath(path)


def hidden(parts: Sequence[str]) -> bool:
    """Whether a path, by its parts, is none of the user's data."""
    return any(part.startswith(".") or part in _SYSTEM for part in parts)
