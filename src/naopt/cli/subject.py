"""What a command is about: a run's directory, an architecture's text, or the name of a published one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from naopt.errors import InputError
from naopt.files import is_there

if TYPE_CHECKING:
    from naopt.run import Run
    from naopt.spaces import Architecture, SearchSpace

PickOption = Annotated[
    str | None,
    typer.Option(
        metavar="knee|index=N|max:METRIC,METRIC<=N",
        help="Of a search: the knee of its front, an evaluation, or the best by a metric within limits. Default: its "
        "best; of several objectives the knee.",
    ),
]


def find_run(text: str) -> Run | None:
    """The run in that directory; ``None`` if there is no such directory. Raises ``InputError`` if it is not a run's."""
    if not is_there(text) or not Path(text).is_dir():
        return None
    from naopt.run import open_run

    return open_run(text)


def find_subject(text: str, space: str | None, pick: str | None) -> tuple[Run | None, SearchSpace, Architecture]:
    """What is meant: the run, if the text names one, with what it is about or what is picked of it.

    Raises:
        InputError: nothing that is known, or a pick of what is no search, or that is not there.
    """
    chosen = None
    if pick is not None:
        from naopt.run.pick import Pick

        chosen = Pick.parse(pick)
    run = find_run(text)
    if run is None:
        if pick is not None:
            raise InputError("--pick", pick, "is for the directory of a search")
        return None, *read_architecture(text, space)
    if chosen is None:
        found = run.subject
        _say_which(run)
        return run, *found
    return run, run.record.space, chosen.of(run.record).architecture


def _say_which(run: Run) -> None:
    """Says, of a search with several objectives, which member of the front is taken where nobody picks."""
    from naopt.cli.common import note
    from naopt.cli.runs import first_process
    from naopt.run.run import SearchRun

    if not isinstance(run, SearchRun) or len(run.record.problem.objectives) == 1 or not first_process():
        return
    if (knee := run.record.chosen()) is not None and knee.measurement is not None:
        names = [objective.metric for objective in run.record.problem.objectives]
        has = ", ".join(f"{name} {knee.measurement.metrics[name]:.6g}" for name in names)
        front = f"the knee of a front of {len(run.record.front())}"
        note(f"{front} is taken, evaluation {knee.index} ({has}); --pick takes others")


def read_architecture(text: str, space: str | None) -> tuple[SearchSpace, Architecture]:
    """An architecture and its space, which is told from the text unless it is named.

    The text may be a name in the zoo, in any case.

    Raises:
        InputError: no space's text form and no name in the zoo (with the nearest ones), an unknown space, or a syntax
            error.
    """
    from naopt.spaces import create_space, parse_architecture
    from naopt.zoo import get, names

    if text.lower() in names():
        text = get(text).text
    if space is not None:
        found = create_space(space)
        return found, found.parse(text)
    if not any(sign in text for sign in ":|="):
        from difflib import get_close_matches

        if "/" in text:
            raise InputError("run", text, "there is no such directory")
        near = get_close_matches(text.lower(), names(), n=3, cutoff=0.4)
        hint = f"the nearest there: {', '.join(near)}" if near else "see naopt zoo list"
        rule = f"neither a directory nor the text form of an architecture nor a name in the zoo; {hint}"
        raise InputError("run or architecture", text, rule)
    return parse_architecture(text)
