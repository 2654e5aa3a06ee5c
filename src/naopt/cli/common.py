"""What the commands share: options, JSON on standard output, everything else on standard error.

Only ``typer`` is imported at module level, here and in every command module, so that ``naopt --help`` answers at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

JsonOption = Annotated[
    bool, typer.Option("--json", help="One JSON document on standard output, progress on standard error.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="A setting, as in the configuration file; may be repeated."),
]


def emit(document: Mapping[str, Any]) -> None:
    """Writes one JSON document to standard output; a number that is not finite becomes ``null``."""
    import json

    from naopt.values import plain

    typer.echo(json.dumps(plain(document), allow_nan=False))


def say(line: str = "") -> None:
    """One line of the command's answer, on standard output."""
    typer.echo(line)


def note(line: str) -> None:
    """One line about what is going on, on standard error."""
    typer.echo(line, err=True)


def stderr_console() -> Console:
    """A rich console on standard error, for progress."""
    from rich.console import Console

    return Console(stderr=True)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], title: str = "") -> None:
    """A plain table on standard output: columns as wide as their longest cell, numbers to the right."""
    body = [list(row) for row in rows]
    texts = [[_cell(value) for value in row] for row in body]
    widths = [max(len(row[i]) for row in [list(columns), *texts]) for i in range(len(columns))]
    right = [bool(body) and all(isinstance(row[i], int | float) for row in body) for i in range(len(columns))]
    if title:
        say(title)
    for row in [list(columns), *texts]:
        cells = (c.rjust(w) if r else c.ljust(w) for c, w, r in zip(row, widths, right, strict=True))
        say("  ".join(cells).rstrip())


def _cell(value: object) -> str:
    return f"{value:.5g}" if isinstance(value, float) else str(value)
