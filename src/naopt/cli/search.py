"""``naopt search``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from naopt.cli.common import JsonOption, SetOption
from naopt.cli.wanted import (
    FidelitiesOption,
    FidelityCostsOption,
    KnownOption,
    MaxOption,
    MinOption,
    PriorColumnsOption,
    RemeasureOption,
    ScalariseOption,
    limits_given,
    numbers_given,
)


def search(
    space: Annotated[str | None, typer.Option(help="Search space: NAME or NAME:option=value,...")] = None,
    task: Annotated[
        str | None, typer.Option(help="Train on a task: digits, images:PATH, cifar10:PATH, ptb:PATH, text:PATH ...")
    ] = None,
    table: Annotated[str | None, typer.Option(help="Look up in a table: a file or a built-in name.")] = None,
    zero_cost: Annotated[
        bool, typer.Option("--zero-cost", help="Train nothing: search by zero-cost proxies (naswot, synflow ...).")
    ] = False,
    supernet: Annotated[
        str | None, typer.Option(metavar="DIR", help="Measure with the shared weights of a weight-sharing run.")
    ] = None,
    noise: Annotated[
        str | None, typer.Option(help="Of a table's repeats: their mean (default), or one repeat drawn a query.")
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option("--metric", "--objective", metavar="A[,B...]", help="What is optimised: one metric, or several."),
    ] = None,
    at_most: MaxOption = None,
    at_least: MinOption = None,
    known: KnownOption = None,
    prior_columns: PriorColumnsOption = None,
    proxies: Annotated[
        str | None,
        typer.Option(
            metavar="A,B|default|none",
            help="Zero-cost proxies of untrained networks that the searcher may look at; none by default.",
        ),
    ] = None,
    fidelities: FidelitiesOption = None,
    fidelity_costs: FidelityCostsOption = None,
    remeasure: RemeasureOption = None,
    scalarise: ScalariseOption = None,
    device_file: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Predicts latency_ms before training; made by: naopt device calibrate."),
    ] = None,
    searcher: Annotated[str | None, typer.Option(help="How to search; nao by default.")] = None,
    budget: Annotated[int | None, typer.Option(help="How many architectures to evaluate; 100 by default.")] = None,
    finalists: Annotated[
        int | None, typer.Option(metavar="K", help="Train the best K longer in the end, and pick among them.")
    ] = None,
    finalist_preset: Annotated[
        str | None,
        typer.Option(metavar="P", help="How: a preset of final training; by default as before, 4 times the epochs."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of all randomness; 0 by default.")] = None,
    run: Annotated[Path | None, typer.Option(help="The run's directory; runs/DATE-SPACE-SEARCHER by default.")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes that evaluate; 1 by default.")] = None,
    device: Annotated[str | None, typer.Option(help="Where networks are trained: cpu (default), cuda, mps.")] = None,
    engine: Annotated[str | None, typer.Option(help="Where evaluations happen: local (default) or ray.")] = None,
    schedule: Annotated[
        str | None,
        typer.Option(metavar="rounds|async", help="Rounds that can be repeated (default), or workers that never idle."),
    ] = None,
    batch: Annotated[
        str | None, typer.Option(metavar="N|workers", help="Enlarge rounds that are smaller than this.")
    ] = None,
    time: Annotated[str | None, typer.Option("--time", metavar="2h", help="Limit of the whole search.")] = None,
    enqueue: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE|ARCH", help="Measured first: an architecture, or a file with one a line; repeat."),
    ] = None,
    history: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SOURCE[:METRIC]",
            help="Told first: what a run, a table or a CSV file has; with :METRIC it is of another task; repeat.",
        ),
    ] = None,
    workers_per_device: Annotated[
        int | None, typer.Option("--workers-per-device", help="Processes that may share a CUDA device; 1 by default.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything, time one architecture, and estimate; write nothing.")
    ] = False,
    settings: SetOption = None,
    config: Annotated[Path | None, typer.Option(help="A TOML file with the same keys; flags and --set win.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Search for the best architecture of a space."""
    from naopt.cli.enqueue import places_named, read_architectures
    from naopt.cli.merging import merge_values
    from naopt.cli.rehearsal import rehearse
    from naopt.cli.runs import execute, hint_at_costs
    from naopt.durations import parse_duration
    from naopt.run.config import RunConfig, read_values
    from naopt.run.start import new_run

    first = read_architectures(enqueue)
    flags: dict[str, Any] = {
        "space": space,
        "task": task,
        "table": table,
        "zero_cost": zero_cost or None,
        "supernet": supernet,
        "noise": noise,
        "metric": metric,
        "max": limits_given("max", at_most),
        "min": limits_given("min", at_least),
        "known": known.split(",") if known else None,
        "prior_columns": prior_columns.split(",") if prior_columns else None,
        "proxies": proxies.split(",") if proxies else None,
        "fidelities": fidelities.split(",") if fidelities else None,
        "fidelity_costs": numbers_given("--fidelity-costs", fidelity_costs) or None,
        "remeasure": remeasure,
        "scalarise": scalarise,
        "device_file": device_file,
        "searcher": searcher,
        "budget": budget,
        "finalists": finalists,
        "finalist_preset": finalist_preset,
        "seed": seed,
        "workers": workers,
        "device": device,
        "engine": engine,
        "search_schedule": schedule,
        "search_batch": int(batch) if batch is not None and batch.isdecimal() else batch,
        "time": None if time is None else parse_duration(time),
        "enqueue": None if enqueue is None else list(first),
        "history": history,
        "workers_per_device": workers_per_device,
    }
    given = {key: value for key, value in flags.items() if value is not None}
    values = merge_values(read_values(config) if config else {}, given, settings or [])
    chosen = RunConfig.from_values(values)
    directory = run or _default_directory(chosen)
    with places_named(first):
        if dry_run:
            rehearse(chosen, as_json=as_json)
            return
        begun = new_run(directory, chosen)
    hint_at_costs(begun.state.setup)
    execute(begun, as_json=as_json)


def _default_directory(config: Any) -> Path:
    from datetime import datetime

    now = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    space = config.space or (Path(config.table or config.supernet).stem or "conv-cell")
    return Path("runs") / f"{now}-{Path(space.replace(':', '-')).name}-{config.searcher}"
