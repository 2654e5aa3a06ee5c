"""Where a task's files are: from what a user writes to a tree of files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from naopt.errors import InputError
from naopt.tasks.archives import TarTree, ZipTree
from naopt.tasks.trees import FolderTree, Tree

_ARCHIVES: Mapping[str, type[Tree]] = {
    **dict.fromkeys((".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz"), TarTree),
    ".zip": ZipTree,
}


def archive_kind(source: str) -> type[Tree] | None:
    """What reads the archive of that name; ``None`` if it is none."""
    return next((kind for suffix, kind in _ARCHIVES.items() if source.casefold().endswith(suffix)), None)


def open_tree(source: str) -> Tree:
    """The tree of a directory or archive. Raises ``InputError`` if it is neither."""
    path = Path(source)
    if path.is_dir():
        return FolderTree(source)
    if not path.exists():
        raise InputError("folder", source, "does not exist")
    kind = archive_kind(source)
    if kind is None:
        raise InputError("folder", source, f"is neither a folder nor an archive ({', '.join(_ARCHIVES)})")
    return kind(source)
