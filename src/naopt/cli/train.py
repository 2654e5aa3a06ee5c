"""``naopt train``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from naopt.cli.common import JsonOption, SetOption, note
from naopt.cli.subject import PickOption


def train(
    subject: Annotated[
        str,
        typer.Argument(metavar="DIR|ARCH", help="Directory of a search or training, architecture's text, or zoo name."),
    ],
    task: Annotated[str | None, typer.Option(help="What to train on; by default the run's task.")] = None,
    preset: Annotated[str | None, typer.Option(help="Settings to start from; by default the task's.")] = None,
    pick: PickOption = None,
    space: Annotated[str | None, typer.Option(help="The architecture's space, if its text does not tell.")] = None,
    device: Annotated[str, typer.Option(help="Where to train: cpu, cuda, mps.")] = "cpu",
    threads: Annotated[int, typer.Option(min=1, help="CPU threads.")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="Seed of initialisation, order and augmentation.")] = 0,
    run: Annotated[
        Path | None, typer.Option(help="Where to write weights and result; by default the run, or runs/DATE-train.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="Configuration file; its section 'training' wins over the preset.")
    ] = None,
    settings: SetOption = None,
    checkpoint_seconds: Annotated[
        float, typer.Option(min=0, help="How often at most the state is saved, from which a killed training goes on.")
    ] = 30.0,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Write curves for TensorBoard too.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Train the found architecture in full, and test it once."""
    from naopt.cli.runs import execute, first_process
    from naopt.cli.subject import find_subject
    from naopt.configuration import parse_setting
    from naopt.errors import InputError
    from naopt.final.request import training_request
    from naopt.run.config import read_values, section_options
    from naopt.run.train import new_training
    from naopt.spaces import GenericSpace

    source, found, architecture = find_subject(subject, space, pick)
    values: dict[str, Any] = {}
    suggested: Mapping[str, Any] = {}
    if task is None and source is not None:
        task, suggested = source.suggested_task, source.suggested_settings
    if task is None:
        if isinstance(found, GenericSpace):
            raise InputError("space", found.name, "has no networks that could be trained")
        raise InputError("task", "", "give --task")
    values |= {} if config is None else section_options("training", read_values(config).get("training", {}))
    values |= {key.removeprefix("training."): value for key, value in map(parse_setting, settings or [])}
    request = training_request(
        found,
        architecture,
        task,
        preset=preset,
        suggested=suggested,
        overrides=values,
        seed=seed,
        device=device,
        threads=threads,
    )
    own = None if source is None else source.place_of_training
    training = new_training(
        run or own or _default_directory(),
        request,
        checkpoint_seconds=checkpoint_seconds,
        tensorboard=tensorboard,
    )
    if first_process():
        epochs = request.settings["epochs"]
        note(f"training {request.architecture} on {task} for {epochs} epoch{'s' * (epochs != 1)}")
    execute(training, as_json=as_json)


def _default_directory() -> Path:
    from datetime import datetime

    return Path("runs") / f"{datetime.now().astimezone():%Y%m%d-%H%M%S}-train"
