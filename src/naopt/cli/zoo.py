"""``naopt zoo``."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from naopt.cli.common import JsonOption, emit, print_table, say


class Action(StrEnum):
    """What ``naopt zoo`` does."""

    LIST = "list"
    SHOW = "show"


def zoo(
    action: Annotated[Action, typer.Argument(help="list: all names; show: one entry.")] = Action.LIST,
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Which entry to show.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List or show published cells."""
    from dataclasses import asdict

    from naopt.errors import InputError
    from naopt.zoo import get, names

    if action is Action.LIST:
        if name is not None:
            raise InputError("zoo", name, f"list takes no name; write: naopt zoo show {name}")
        entries = [get(each) for each in names()]
        if as_json:
            emit({"zoo": [{"name": e.name, "title": e.title, "space": e.space, "source": e.source} for e in entries]})
        else:
            print_table(["name", "space", "source"], [[e.name, e.space, e.source] for e in entries])
        return
    if name is None:
        raise InputError("zoo", "show", f"needs a NAME; known: {', '.join(names())}")
    entry = get(name)
    if as_json:
        emit(asdict(entry))
        return
    say(f"{entry.title} ({entry.name})")
    say(f"source:  {entry.source}")
    say(f"space:   {entry.space}")
    say(f"text:    {entry.text}")
    for what, value in entry.figures.items():
        say(f"  {value:g}: {what}")
    if entry.note:
        say(f"note:    {entry.note}")
