"""``naopt train``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from naopt.cli.common import JsonOption, SetOption, emit, note, say

if TYPE_CHECKING:
    from naopt.evaluators.final import FinalResult

WEIGHTS, RESULT = "final.safetensors", "final.json"


def train(
    subject: Annotated[
        str, typer.Argument(metavar="DIR|ARCH", help="A run's directory (its best), or an architecture's text.")
    ],
    task: Annotated[str | None, typer.Option(help="What to train on; by default the run's task.")] = None,
    preset: Annotated[str | None, typer.Option(help="Settings to start from; by default the task's.")] = None,
    space: Annotated[str | None, typer.Option(help="The architecture's space, if its text does not tell.")] = None,
    device: Annotated[str, typer.Option(help="Where to train: cpu, cuda, mps.")] = "cpu",
    threads: Annotated[int, typer.Option(min=1, help="CPU threads.")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="Seed of initialisation, order and augmentation.")] = 0,
    run: Annotated[
        Path | None, typer.Option(help="Where to write weights and result; by default the run, or runs/DATE-train.")
    ] = None,
    settings: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train the found architecture in full, and test it once."""
    from naopt.cli.subject import best_of, read_architecture, read_run
    from naopt.errors import InputError, NaoptError
    from naopt.evaluators.final import final_settings, train_final
    from naopt.evaluators.training import failure_status
    from naopt.run.config import parse_setting

    record = read_run(subject)
    if record is None:
        found, architecture = read_architecture(subject, space)
    else:
        found, architecture = record.space, best_of(record)
        task = task or record.config.task or None
    if task is None:
        raise InputError("task", "", "give --task")
    overrides = dict(parse_setting(setting) for setting in settings or [])
    chosen = final_settings(task, preset, {key.removeprefix("training."): v for key, v in overrides.items()})
    directory = run or (_default_directory() if record is None else record.directory)
    if (directory / WEIGHTS).exists():
        raise InputError("run", str(directory), f"already holds {WEIGHTS}; name another directory with --run")
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError("run", str(directory), error.strerror or "cannot be made") from error
    note(f"training {found.format(architecture)} on {task} for {chosen.epochs} epochs")
    try:
        result = train_final(found, architecture, task, chosen, device=device, threads=threads, seed=seed)
    except Exception as error:
        if failure_status(error) == "failed":
            raise
        raise NaoptError(f"training ended as {failure_status(error)}: {error}") from error
    document = {
        "run": str(directory),
        "space": found.name,
        "architecture": found.format(architecture),
        "task": task,
        "preset": preset,
        "seed": seed,
        "device": device,
        "threads": threads,
        **_facts(result),
        "weights": str(directory / WEIGHTS),
    }
    _write(directory, result, document)
    if as_json:
        emit(document)
        return
    say(f"test accuracy: {result.test_accuracy:.1f} %")
    say(f"parameters:    {result.parameters:,}")
    say(f"seconds:       {result.seconds:.1f}")
    say(f"weights:       {directory / WEIGHTS}")


def _default_directory() -> Path:
    from datetime import datetime

    return Path("runs") / f"{datetime.now().astimezone():%Y%m%d-%H%M%S}-train"


def _facts(result: FinalResult) -> dict[str, Any]:
    return {
        "test_accuracy": result.test_accuracy,
        "test_loss": result.test_loss,
        "parameters": result.parameters,
        "seconds": result.seconds,
        "settings": result.settings.model_dump(mode="json"),
        "classes": result.classes,
        "input_shape": result.input_shape,
        "mean": result.mean,
        "deviation": result.deviation,
    }


def _write(directory: Path, result: FinalResult, document: dict[str, Any]) -> None:
    """Weights first: a directory with a result is complete."""
    import json

    from safetensors.torch import save_file

    from naopt.run.values import plain

    part = directory / f"{WEIGHTS}.part"
    save_file(result.state_dict, part)
    part.replace(directory / WEIGHTS)
    (directory / RESULT).write_text(json.dumps(plain(document), indent=1) + "\n", encoding="utf-8")
