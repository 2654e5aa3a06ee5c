"""``naopt proxy``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from naopt.cli.common import JsonOption, SetOption, emit, note, print_table, say
from naopt.cli.study import DeviceOption, ThreadsOption, WorkersOption

if TYPE_CHECKING:
    from naopt.metrics import Estimate
    from naopt.recipes import RecipeTable


def proxy(
    task: Annotated[str, typer.Option(metavar="T", help="What to train on.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Keep trainings and table there, and go on from them.")],
    space: Annotated[
        str | None, typer.Option(metavar="NAME[:options]", help="Of the architectures; by default the task's.")
    ] = None,
    recipe: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE,...",
            help="A cheaper recipe: what differs from the search's, or search for that itself; repeat for several.",
        ),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(metavar="P", help="Of the full training; recipe for the search's. By default the task's."),
    ] = None,
    full: Annotated[
        str | None, typer.Option(metavar="KEY=VALUE,...", help="Single settings of the full training.")
    ] = None,
    architectures: Annotated[int, typer.Option(metavar="N", help="How many, at random.")] = 20,
    repeats: Annotated[int, typer.Option(metavar="R", help="Trainings of each by each recipe, at least 2.")] = 2,
    seed: Annotated[int, typer.Option("--seed", metavar="S", help="Of architectures and trainings.")] = 0,
    time: Annotated[
        str | None,
        typer.Option(
            metavar="TIME,...",
            help="Of searches that recipes are compared for: 30m,8h; by default those of 10 and 100 full trainings.",
        ),
    ] = None,
    finalists: Annotated[
        int, typer.Option(metavar="K", help="The best of a search are trained in full within that time.")
    ] = 0,
    device: DeviceOption = "cpu",
    threads: ThreadsOption = 1,
    workers: WorkersOption = 1,
    settings: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say how well cheaper recipes of training rank architectures, and which one to search with."""
    from naopt.cli.study import progress
    from naopt.configuration import parse_setting, parse_settings
    from naopt.durations import parse_duration
    from naopt.recipes import PROXY
    from naopt.recipes import proxy as compared

    values = {key.removeprefix("training."): value for key, value in map(parse_setting, settings or [])}
    found = compared(
        task,
        out=out,
        space=space,
        recipes=recipe or (),
        preset=preset,
        full=parse_settings(full) if full else None,
        settings=values,
        architectures=architectures,
        repeats=repeats,
        seed=seed,
        times=[parse_duration(each) for each in time.split(",")] if time else (),
        finalists=finalists,
        device=device,
        threads=threads,
        workers=workers,
        progress=progress,
    )
    if as_json:
        emit({**found.document(), "out": str(out)})
        return
    print_recipes(found)
    note(f"table: {out / PROXY}")


def print_recipes(found: RecipeTable) -> None:
    """The table, what each recipe makes of a time, and what to take, on standard output."""
    from naopt.durations import in_words

    count = len(found.architectures)
    own = ",".join(f"{key}={value}" for key, value in found.rows[0].changes.items())
    say(
        f"{found.task}: {count} architectures of {found.space}, {found.repeats} trainings each; full is {found.preset}"
        f"{' with ' if own else ''}{own}; {found.metric}{' in ' if found.unit else ''}{found.unit}"
    )
    columns = ("recipe", "seconds", "of full", "mean", "noise", "signal", "reliability", "correlation")
    ranks = ("tau", "95 %", "spearman", "95 %", "single tau", "95 %")
    print_table(
        (*columns, *ranks),
        [
            (
                row.name,
                f"{row.seconds:.3g}",
                f"{row.share:.2f}",
                *(_value(each, ".3g") for each in (row.mean, row.noise, row.signal)),
                *(_value(each, ".2f") for each in (row.reliability, row.correlation)),
                *(cell for each in (row.kendall_tau, row.spearman, row.single) for cell in _both(each, ".2f")),
            )
            for row in found.rows
        ],
    )
    for each in found.budgets:
        after = f", {each.finalists} finalists in full" if each.finalists else ""
        print_table(
            ("recipe", "architectures", "pick", "95 %", "behind", "95 %"),
            [
                (pick.recipe, pick.architectures, *_both(pick.expected, ".4g"), *_both(pick.behind, ".2g"))
                for pick in each.picks
            ],
            title=f"\n{in_words(each.seconds)} of random architectures{after}: the expected full {found.metric}",
        )
    say()
    for row in found.rows:
        if row.failed:
            say(f"{row.name}: {row.failed} of {row.trainings} trainings failed: {row.reason}")
    for name, reason in found.left_out.items():
        say(f"left out: {name} ({reason})")
    for sentence in found.sentences:
        say(sentence)


def _value(found: Estimate | None, form: str) -> str:
    return "-" if found is None else format(found.value, form)


def _both(found: Estimate | None, form: str) -> tuple[str, str]:
    if found is None:
        return "-", ""
    low, high = found.ci95
    return format(found.value, form), f"{low:{form}} .. {high:{form}}"
