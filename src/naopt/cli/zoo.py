"""``naopt zoo``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from naopt.cli.common import JsonOption, emit, print_table, say
from naopt.cli.outputs import ForceOption, check_output
from naopt.cli.show import write_drawing


class Action(StrEnum):
    """What ``naopt zoo`` does."""

    LIST = "list"
    SHOW = "show"


def zoo(
    action: Annotated[Action, typer.Argument(help="list: all names; show: one entry.")] = Action.LIST,
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Which entry to show.")] = None,
    svg: Annotated[Path | None, typer.Option(help="Draw the shown entry into this file.")] = None,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """List, show or draw published cells."""
    from dataclasses import asdict

    from naopt.errors import InputError
    from naopt.zoo import get, names

    if action is Action.LIST:
        if name is not None:
            raise InputError("zoo", name, f"list takes no name; write: naopt zoo show {name}")
        if svg is not None:
            raise InputError("svg", str(svg), "list draws nothing; write: naopt zoo show NAME --svg FILE")
        entries = [get(each) for each in names()]
        if as_json:
            emit({"zoo": [{"name": e.name, "title": e.title, "space": e.space, "source": e.source} for e in entries]})
        else:
            print_table(["name", "title", "source"], [[e.name, e.title, e.source.split(":")[0]] for e in entries])
        return
    if name is None:
        raise InputError("zoo", "show", f"needs a NAME; known: {', '.join(names())}")
    entry = get(name)
    check_output("--svg", svg, force=force)
    if svg is not None:
        write_drawing(*entry.architecture(), svg)
    if as_json:
        emit(asdict(entry))
        return
    say(f"{entry.title} ({entry.name})")
    say(f"source:  {entry.source}")
    say(f"space:   {entry.space}")
    say(f"text:    {entry.text}")
    if entry.network:
        say(f"network: {', '.join(f'{key} = {value}' for key, value in entry.network.items())}")
    if entry.parameters is not None:
        say(f"  {entry.parameters:g}: parameters, million (published)")
    for what, value in entry.figures.items():
        say(f"  {value:g}: {what}")
    if entry.note:
        say(f"note:    {entry.note}")
