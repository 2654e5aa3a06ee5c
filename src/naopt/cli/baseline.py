"""``naopt baseline``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from naopt.cli.common import JsonOption, SetOption, emit, note, print_table, say
from naopt.cli.study import DeviceOption, ThreadsOption, WorkersOption

if TYPE_CHECKING:
    from naopt.baselines import BaselineTable


def baseline(
    task: Annotated[str | None, typer.Option(help="What to train on; by default the run's task.")] = None,
    run: Annotated[
        Path | None, typer.Option(metavar="DIR", help="A search, whose pick is trained alike and stands in the table.")
    ] = None,
    networks: Annotated[
        str | None,
        typer.Option(metavar="A,B", help="Names or patterns: resnet-*, mobilenet-v2, darts-v2, lstm; by task."),
    ] = None,
    parameters: Annotated[
        int | None, typer.Option(metavar="N", help="That each network has at most; by default those of the pick.")
    ] = None,
    preset: Annotated[str | None, typer.Option(help="Settings to start from; by default the task's.")] = None,
    seeds: Annotated[int, typer.Option("--seeds", metavar="N", help="Trainings of each network.")] = 1,
    seed: Annotated[int, typer.Option("--seed", metavar="S", help="Of all trainings.")] = 0,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Keep trainings and table there; by default DIR/baselines of the run."),
    ] = None,
    device: DeviceOption = "cpu",
    threads: ThreadsOption = 1,
    workers: WorkersOption = 1,
    settings: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train networks that people would use instead, of equal size and with equal care, and compare them."""
    from naopt.baselines import baseline as compared
    from naopt.cli.study import progress
    from naopt.cli.summary import publish
    from naopt.configuration import parse_setting
    from naopt.run import open_run

    values = {key.removeprefix("training."): value for key, value in map(parse_setting, settings or [])}
    place = out or (run / "baselines" if run is not None else _default_directory())
    found = compared(
        task,
        out=place,
        run=run,
        networks=networks.split(",") if networks else (),
        parameters=parameters,
        preset=preset,
        settings=values,
        seeds=seeds,
        seed=seed,
        device=device,
        threads=threads,
        workers=workers,
        progress=progress,
    )
    if run is not None:
        publish(open_run(run))
    if as_json:
        emit({**found.document(), "out": str(place), "sentence": found.sentence})
        return
    print_baselines(found)
    note(f"table: {place / 'baselines.json'}")


def print_baselines(found: BaselineTable) -> None:
    """The table, and how the pick stands, on standard output."""
    from naopt.report.baseline_section import baseline_columns, baseline_rows

    epochs = f"{found.epochs:,} epoch{'s' * (found.epochs != 1)}"
    say(f"{found.task}: {epochs} each ({found.preset}), at most {found.parameters:,} parameters")
    print_table(baseline_columns(found), baseline_rows(found))
    for row in found.rows:
        if row.reason:
            say(f"{row.name}: {row.reason}")
    say(found.sentence)


def _default_directory() -> Path:
    from datetime import datetime

    return Path("runs") / f"{datetime.now().astimezone():%Y%m%d-%H%M%S}-baseline"
