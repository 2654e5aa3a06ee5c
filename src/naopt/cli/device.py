"""``naopt device``: calibrate a device, predict latencies, check a calibration, and write a script for elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from naopt.cli.common import JsonOption, SetOption, emit, note, print_table, say
from naopt.cli.outputs import ForceOption, check_output

if TYPE_CHECKING:
    from naopt.devices import DeviceModel
    from naopt.devices.setting import Setting
    from naopt.spaces import SearchSpace

device_app = typer.Typer(help="How fast networks are on a device, before they are trained.", no_args_is_help=True)

TaskOption = Annotated[str | None, typer.Option("--task", metavar="T", help="Whose images and classes it is for.")]
SpaceOption = Annotated[str | None, typer.Option("--space", metavar="S", help="Whose networks. Default: conv-cell.")]
SamplesOption = Annotated[int, typer.Option("--samples", help="Networks that are timed.")]
SeedOption = Annotated[int, typer.Option(help="Of the networks that are drawn.")]
DeviceOption = Annotated[str, typer.Option("--device", help="cpu, cuda, cuda:1.")]
ThreadsOption = Annotated[int, typer.Option("--threads", help="CPU threads.")]
BatchOption = Annotated[int, typer.Option("--batch", help="Images at a time.")]
RepeatsOption = Annotated[int, typer.Option("--repeats", help="How often each is timed.")]


@device_app.command("calibrate")
def calibrate(
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The device file (.json) to write.")],
    task: TaskOption = None,
    space: SpaceOption = None,
    timings: Annotated[
        Path | None, typer.Option("--timings", metavar="FILE", help="What a script of naopt device script wrote.")
    ] = None,
    samples: SamplesOption = 80,
    held_out: Annotated[int, typer.Option("--held-out", help="Time so many other networks, and say the error.")] = 0,
    seed: SeedOption = 0,
    device: DeviceOption = "cpu",
    threads: ThreadsOption = 1,
    batch: BatchOption = 1,
    repeats: RepeatsOption = 30,
    settings: SetOption = None,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Time a sample of networks and operations on this device, and fit a predictor of latencies."""
    from naopt.devices.calibration import calibrate as measure
    from naopt.devices.calibration import fit
    from naopt.devices.setting import Setting
    from naopt.errors import InputError
    from naopt.evaluators.training import select_device
    from naopt.texts import read_json

    check_output("--out", out, [timings], force=force)
    if timings is not None:
        if task is not None or space is not None:
            raise InputError("--timings", str(timings), "say space and task themselves")
        values = read_json(timings, "timings")
        if not isinstance(values, dict) or not {"setting", "work", "timed"} <= values.keys():
            raise InputError("timings", str(timings), "are none; write them with the script of naopt device script")
        setting = Setting.parse(values["setting"], "setting of timings")
        model = fit(setting, values["work"], values["timed"], str(timings))
    else:
        select_device(device)
        found, setting = _setting(task, space, settings, device, threads, batch, repeats)
        model = measure(found, setting, samples, seed)
    model.write(out)
    c = model.calibration
    document = {
        "file": str(out), "operations": len(c.operations), "networks": len(c.networks), "model": c.model,
        "error": c.error, "spearman": c.spearman, "sum_error": c.sum_error,
    }  # fmt: skip
    if not as_json:
        say(f"{out}: {len(c.operations)} operations, {len(c.networks)} networks of {c.setting.space}")
        say(
            f"cross-validation: median error {c.error:.1%}, rank correlation {c.spearman:.3f}; "
            f"plain sum of operations: {c.sum_error:.1%}"
        )
    if held_out:
        document["held_out"] = _check(model, held_out, seed + 1, as_json=as_json)
    if as_json:
        emit(document)


@device_app.command("predict")
def predict(
    architectures: Annotated[list[str], typer.Argument(metavar="ARCH...", help="Texts, or names of the zoo.")],
    device_file: Annotated[Path, typer.Option("--device-file", metavar="FILE", help="The calibration.")],
    as_json: JsonOption = False,
) -> None:
    """Say how long networks would take on a calibrated device."""
    from naopt.cli.subject import read_architecture
    from naopt.devices import read_device
    from naopt.errors import InputError

    model = read_device(device_file)
    parsed = []
    for text in architectures:
        space, architecture = read_architecture(text, None)
        if space.name != model.calibration.setting.space:
            rule = f"is for space {model.calibration.setting.space}, not {space.name}"
            raise InputError("device file", str(device_file), rule)
        parsed.append(architecture)
    times = model.predict(parsed).tolist()
    if as_json:
        emit({"latency_ms": dict(zip(architectures, times, strict=True))})
    else:
        print_table(["latency_ms", "architecture"], list(zip(times, architectures, strict=True)))


@device_app.command("check")
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The calibration.")],
    networks: Annotated[int, typer.Option("--networks", min=5, help="How many are timed.")] = 40,
    seed: SeedOption = 1,
    as_json: JsonOption = False,
) -> None:
    """Time other networks on this device, and say whether a calibration still holds."""
    from naopt.devices import read_device

    found = _check(read_device(file), networks, seed, as_json=as_json)
    if as_json:
        emit(found)


@device_app.command("script")
def script(
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The Python program to write.")],
    task: TaskOption = None,
    space: SpaceOption = None,
    samples: SamplesOption = 80,
    seed: SeedOption = 0,
    device: DeviceOption = "cpu",
    threads: ThreadsOption = 1,
    batch: BatchOption = 1,
    repeats: RepeatsOption = 30,
    settings: SetOption = None,
    force: ForceOption = False,
) -> None:
    """Write a program that times the sample on a machine with nothing but PyTorch."""
    from naopt.devices.calibration import draw_sample, work_of
    from naopt.devices.script import write_script
    from naopt.files import write_text

    check_output("--out", out, force=force)
    found, setting = _setting(task, space, settings, device, threads, batch, repeats)
    setting = setting.model_copy(update={"runner": "layers"})
    write_text(out, write_script(setting, work_of(found, draw_sample(found, setting, samples, seed), setting)))
    say(f"{out}: run it where PyTorch is, then naopt device calibrate --timings timings.json --out device.json")


def _setting(
    task: str | None, space: str | None, settings: list[str] | None, device: str, threads: int, batch: int, repeats: int
) -> tuple[SearchSpace, Setting]:
    from naopt.configuration import parse_setting
    from naopt.devices.setting import Setting, structure
    from naopt.errors import InputError
    from naopt.evaluators.workloads import ImageWorkload, create_workload
    from naopt.spaces import create_space

    if task is None:
        raise InputError("task", "", "give --task: latencies depend on the size of images")
    values = {key.removeprefix("training."): value for key, value in map(parse_setting, settings or [])}
    work = create_workload(task, values)
    found = create_space(space or "conv-cell")
    if not isinstance(work, ImageWorkload):
        raise InputError("task", task, "is text; latencies are of networks for images")
    image, classes = work.shapes()
    given = {"device": device, "threads": threads, "batch": batch, "repeats": repeats}
    setting = {"space": found.name, "network": structure(work.settings), "image": image, "classes": classes, **given}
    return found, Setting.parse(setting, "option")


def _check(model: DeviceModel, count: int, seed: int, *, as_json: bool) -> dict[str, object]:
    from dataclasses import asdict
    from importlib.metadata import version

    from naopt.devices.check import HOLDS
    from naopt.devices.check import check as timed

    found = timed(model, count, seed)
    own, made = version("torch"), model.calibration.torch
    if own.partition("+")[0] != made.partition("+")[0]:
        note(f"the file was made with torch {made}; this is {own}")
    if not as_json:
        say(
            f"{found.networks} unseen networks: median error {found.error:.1%}, rank correlation {found.spearman:.3f}; "
            f"plain sum of operations: {found.sum_error:.1%}; {found.marked} with a wide spread"
        )
        say("the file holds" if found.holds else f"the error is above {HOLDS:.0%}: calibrate again")
    return {**asdict(found), "holds": found.holds}
