"""The files that commands write: none is an input of the command, and none replaces another unasked."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from naopt.errors import InputError
from naopt.files import is_stream, is_there

ForceOption = Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")]


def check_output(option: str, path: Path | None, inputs: Iterable[str | Path | None] = (), *, force: bool) -> None:
    """Checks a file before anything is done; what is no file, such as ``/dev/stdout``, may be written always.

    Args:
        option: what it was given as.
        path: of the file; ``None`` for none.
        inputs: what the command reads: files, and folders with all that is in them. What is not there is passed over.
        force: whether it may exist.

    Raises:
        InputError: it is a folder, or an input, or exists and is not to be replaced.
    """
    if path is None or is_stream(path):
        return
    if path.is_dir():
        raise InputError(option, str(path), "is a folder")
    refuse_inputs(option, path, inputs)
    if path.exists() and not force:
        raise InputError(option, str(path), "exists; replace it with --force, or name another file")


def refuse_inputs(option: str, path: Path, inputs: Iterable[str | Path | None]) -> None:
    """Raises ``InputError`` if writing a file, or the draft beside it, would destroy one of the inputs."""
    for file in (path, path.with_name(f"{path.name}.part")):
        for source in inputs:
            if source is not None and file.exists() and _belongs_to(file, source):
                raise InputError(option, str(path), f"would replace {file}, which is read; name another file")


def _belongs_to(file: Path, source: str | Path) -> bool:
    if not is_there(source):
        return False
    return file.samefile(source) or (Path(source).is_dir() and file.resolve().is_relative_to(Path(source).resolve()))
