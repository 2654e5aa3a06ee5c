"""``naopt export``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from naopt.cli.common import JsonOption, SetOption, emit, say
from naopt.cli.outputs import refuse_inputs
from naopt.cli.subject import PickOption

if TYPE_CHECKING:
    from naopt.export import Subject


def export(
    subject: Annotated[
        str,
        typer.Argument(metavar="DIR|ARCH", help="The directory of a training, or an architecture with --untrained."),
    ],
    to: Annotated[str, typer.Option("--to", metavar="KIND", help="pytorch, onnx or torch-export.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The file: .py, .onnx or .pt2.")],
    force: Annotated[bool, typer.Option("--force", help="Replace files that exist.")] = False,
    task: Annotated[
        str | None, typer.Option(help="Whose test data it is checked on; by default those of the training.")
    ] = None,
    untrained: Annotated[bool, typer.Option("--untrained", help="With the weights that training begins with.")] = False,
    pick: PickOption = None,
    latency: Annotated[
        float | None,
        typer.Option(min=0, help="Of a search by instanas: mean latency, a share of that of all operations."),
    ] = None,
    space: Annotated[str | None, typer.Option(help="The architecture's space, if its text does not tell.")] = None,
    input_shape: Annotated[
        str | None, typer.Option(metavar="C,H,W", help="Untrained, without a task: channels, height, width.")
    ] = None,
    classes: Annotated[
        int | None, typer.Option(min=1, help="Untrained, without a task: number of classes, or words.")
    ] = None,
    settings: SetOption = None,
    seed: Annotated[int, typer.Option(min=0, help="Untrained: seed of the weights.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Write a network as a file that needs no naopt, and check the file against it."""
    from naopt.cli.subject import find_run, read_architecture
    from naopt.errors import InputError
    from naopt.export import InstanceFacts, check_target, read_instance, read_trained
    from naopt.export import export as carry_out
    from naopt.export.pytorch import weights_path

    check_target(to, out, force=force)
    for path in (out, *([weights_path(out)] if to == "pytorch" else [])):
        refuse_inputs("--out", path, [subject])
    instances = not untrained and pick is None and _decides_for_each(subject)
    if latency is not None and not instances:
        raise InputError("--latency", latency, "is for the directory of a search by instanas, without --pick")
    if untrained:
        found = _untrained(subject, pick, task, space, input_shape, classes, settings, seed)
    else:
        given = {
            "--space": space,
            "--input-shape": input_shape,
            "--classes": classes,
            "--set": settings and settings[0],
        }
        for option, value in given.items():
            if value is not None:
                raise InputError(option, str(value), "has a meaning only with --untrained")
        if find_run(subject) is None:
            read_architecture(subject, None)
            rule = f"has no trained weights; train it first (naopt train {subject} --task TASK --run DIR)"
            raise InputError("architecture", subject, f"{rule}, or give --untrained")
        if pick is not None:
            _check_trained(subject, pick)
        found = read_instance(subject, task, latency) if instances else read_trained(subject, task)
    result = carry_out(found.network, to, out, found.facts, found.data, force=force)
    document = {
        "out": str(result.path),
        "files": [str(path) for path in result.files],
        "to": to,
        "space": found.facts.space.name,
        "architecture": found.facts.text,
        "trained": not untrained,
        "task": found.facts.task or None,
        "checked": result.count,
        "max_difference": result.max_difference,
    }
    if isinstance(found.facts, InstanceFacts):
        document["thrift"] = found.facts.thrift
    if as_json:
        emit(document)
        return
    for path in result.files:
        say(f"written:            {path}")
    what = f"{result.count} {'random' if found.random else 'test'} {'images' if found.data.ndim == 4 else 'words'}"
    if isinstance(found.facts, InstanceFacts):
        say(f"thrift:             {found.facts.thrift:g}")
    say(f"largest difference: {result.max_difference:.3g} (logits of {what})")


def _decides_for_each(subject: str) -> bool:
    """Whether that is the directory of a search whose network decides for each image what it computes."""
    from naopt.cli.subject import find_run
    from naopt.one_shot.kinds import decides_for_each
    from naopt.run.run import SearchRun

    run = find_run(subject)
    return isinstance(run, SearchRun) and decides_for_each(run.state.config.searcher)


def _check_trained(subject: str, pick: str) -> None:
    """Raises ``InputError`` if the weights in the directory are not those of what is picked."""
    from naopt.cli.subject import find_subject
    from naopt.errors import InputError

    run, _, architecture = find_subject(subject, None, pick)
    assert run is not None
    if run.training is None or run.training.request.subject()[1] != architecture:
        rule = f"is not trained in {subject}; train it (naopt train {subject} --pick '{pick}' --run DIR) and export DIR"
        raise InputError("--pick", pick, f"{rule}, or give --untrained")


def _untrained(
    subject: str,
    pick: str | None,
    task: str | None,
    space: str | None,
    input_shape: str | None,
    classes: int | None,
    settings: list[str] | None,
    seed: int,
) -> Subject:
    from naopt.cli.subject import find_subject
    from naopt.configuration import parse_setting
    from naopt.export import build_untrained

    run, found, architecture = find_subject(subject, space, pick)
    if run is not None and input_shape is None and classes is None:
        task = task or run.suggested_task
    values = {key.removeprefix("training."): value for key, value in map(parse_setting, settings or [])}
    shape = None if input_shape is None else _shape(input_shape)
    return build_untrained(found, architecture, values, task=task, input_shape=shape, classes=classes, seed=seed)


def _shape(text: str) -> tuple[int, int, int]:
    from naopt.errors import InputError

    sizes = text.split(",")
    if len(sizes) != 3 or not all(size.strip().isdecimal() and int(size) > 0 for size in sizes):
        raise InputError("--input-shape", text, "must be channels, height and width: 3,32,32")
    channels, height, width = map(int, sizes)
    return channels, height, width
