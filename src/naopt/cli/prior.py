"""``naopt prior``: what measurements of one task say of others, as files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from naopt.cli.common import JsonOption, emit, print_table
from naopt.cli.outputs import ForceOption, check_output

if TYPE_CHECKING:
    from naopt.spaces import SearchSpace
    from naopt.store.sources import Source

prior_app = typer.Typer(help="What measurements of one task say of others, as files.", no_args_is_help=True)


@prior_app.callback()
def prior() -> None:
    """A group, although it has one command."""


@prior_app.command("save")
def save(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE[:METRIC]...", help="A run, a table or a CSV file; of a run its own metric by default."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The file (.safetensors) to write.")],
    space: Annotated[
        str | None, typer.Option("--space", metavar="S", help="Whose architectures a CSV file has.")
    ] = None,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Fit what measurements say of architectures, for searches on other tasks: --history FILE."""
    from naopt.errors import InputError
    from naopt.latent.belief_files import save_beliefs
    from naopt.run.beliefs import beliefs_of
    from naopt.spaces import create_space
    from naopt.store.sources import FITTED, Source

    if out.suffix != FITTED:
        raise InputError("--out", str(out), f"must end in {FITTED}, by which --history knows it")
    given = [Source.parse(text) for text in sources]
    check_output("--out", out, [source.place for source in given], force=force)
    named = [_named(source) for source in given]
    found = create_space(space) if space is not None else _space_of(named)
    beliefs = beliefs_of(named, found)
    save_beliefs(beliefs, out)
    rows = [[belief.name, belief.metric, belief.task, len(belief.rows)] for belief in beliefs]
    if as_json:
        names = ("name", "metric", "task", "architectures")
        emit({"file": str(out), "space": found.name, "beliefs": [dict(zip(names, row, strict=True)) for row in rows]})
    else:
        print_table(["of", "metric", "measured on", "architectures"], rows, f"{out}: {found.name}")


def _named(source: Source) -> Source:
    """With the metric of a run that was searched by."""
    from naopt.errors import InputError
    from naopt.problem import Named
    from naopt.run import load_run
    from naopt.store.sources import Source

    if source.named is not None or source.fitted:
        return source
    if not Path(source.place).is_dir():
        raise InputError("source", str(source), f"which metric is meant? give {source}:METRIC")
    return Source(source.place, Named(load_run(source.place).objective.metric))


def _space_of(sources: list[Source]) -> SearchSpace:
    """The space of the first source that says which it has."""
    from naopt.errors import InputError
    from naopt.run import load_run
    from naopt.store.history import has_columns
    from naopt.tables import load_table

    for source in sources:
        if Path(source.place).is_dir():
            return load_run(source.place).space
        if not has_columns(source.place) and not source.fitted:
            return load_table(source.place).space
    raise InputError("--space", "", f"is needed: '{sources[0].place}' does not say which it has")
