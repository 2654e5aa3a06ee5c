"""What ``bench`` and ``quality`` share: options, progress with the time that is left, folders of finished trials."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from naopt.cli.common import note, stderr_console

TableOption = Annotated[str, typer.Option("--table", metavar="FILE", help="A naopt-table, or a built-in one's name.")]
SeedOption = Annotated[int, typer.Option("--seed", metavar="S", help="Of all trials together.")]
WorkersOption = Annotated[int, typer.Option("--workers", metavar="W", help="Processes; results do not depend on it.")]
DeviceOption = Annotated[str, typer.Option(help="Where to train: cpu, cuda, mps.")]
ThreadsOption = Annotated[int, typer.Option(min=1, help="CPU threads of one training.")]
OutOption = Annotated[
    Path | None,
    typer.Option("--out", metavar="DIR", help="Keep finished trials there, go on from them, and write a page."),
]
ForceOption = Annotated[
    bool, typer.Option("--force", help="Make again what the folder has of other settings or other code.")
]
AgainstOption = Annotated[
    str | None, typer.Option("--against", metavar="NAME", help="With which the others are compared, trial by trial.")
]

_SILENCE = 30.0
"""Seconds between two lines about progress where there is no terminal."""


def names_with_settings(text: str) -> list[str]:
    """Names with their settings: what has a ``=`` and no name of its own belongs to the name before it."""
    from naopt.configuration import split_settings

    found: list[str] = []
    for part in split_settings(text):
        if found and "=" in part and ":" not in part:
            found[-1] += f",{part}" if ":" in found[-1] else f":{part}"
        else:
            found.append(part)
    return found


@contextmanager
def own_folder(out: Path | None) -> Iterator[None]:
    """Makes the folder, and keeps other processes out of it. Raises ``InputError`` if one is in it."""
    from naopt.errors import InputError
    from naopt.files import make_folder
    from naopt.locking import locked

    if out is None:
        yield
        return
    try:
        make_folder(out)
    except OSError as error:
        raise InputError("--out", str(out), error.strerror or "cannot be used") from error
    with locked(out / ".lock", "written"):
        yield


def note_reuse(what: str, done: int, total: int, dropped: int) -> None:
    """Says which trials of a folder count, and which do not."""
    if dropped:
        note(f"{dropped} {what} were made with other settings or other code, and are made again")
    if done:
        note(f"{done} of {total} {what} were made before, with the same settings and code")


@contextmanager
def progress(what: str, total: int, done: int, workers: int = 1) -> Iterator[Callable[[], None]]:
    """Progress on standard error, with the time that is left: a bar in a terminal, else a line now and then.

    Yields:
        What is to be called after each trial.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from naopt.execution.time_left import TimeLeft, TimeLeftColumn

    console, left = stderr_console(), TimeLeft(total, done, workers)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeLeftColumn())
    count, said = done, time.monotonic()
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=total, completed=done, left=left)

        def advance() -> None:
            nonlocal count, said
            count += 1
            left.reached(count)
            bar.advance(task)
            if not console.is_terminal and time.monotonic() - said >= _SILENCE:
                said = time.monotonic()
                note(f"{count} of {total} {what}, {left}")

        yield advance


@contextmanager
def kept(journal: bool, on_stop: str) -> Iterator[None]:
    """Says after an interrupt or a failure what becomes of the trials that ended.

    Args:
        journal: whether they are kept.
        on_stop: what to say after an interrupt if they are not.

    Raises:
        RunStoppedError: an interrupt or a full disk, and the trials are kept.
        NaoptError: an interrupt, and they are not.
        JobError: a trial failed.
    """
    from naopt.bench import JobError
    from naopt.errors import NaoptError, RunStoppedError
    from naopt.files import NotWrittenError

    try:
        yield
    except KeyboardInterrupt:
        if journal:
            raise RunStoppedError("stopped; the same command goes on with the trials that are missing") from None
        raise NaoptError(on_stop) from None
    except NotWrittenError as error:
        raise RunStoppedError(f"{error.line}; the same command goes on with the trials that are missing") from error
    except JobError as error:
        if journal:
            raise JobError(f"{error}; the trials that ended are kept") from error
        raise
