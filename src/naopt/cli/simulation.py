"""``naopt bench`` with simulated workers: options, and what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from naopt.cli.common import print_table, say
from naopt.cli.figures import interval, median_to_optimum

if TYPE_CHECKING:
    from naopt.bench import Simulation

WorkersSimulatedOption = Annotated[
    str | None,
    typer.Option("--workers-simulated", metavar="W,...", help="Search with so many workers too, in simulated time."),
]
DurationsOption = Annotated[
    str | None,
    typer.Option(
        "--durations",
        metavar="lognormal:SIGMA[:MEDIAN]|COLUMN",
        help="How long a simulated evaluation takes: drawn, or what a column of the table says.",
    ),
]
ScheduleOption = Annotated[
    str | None,
    typer.Option("--schedule", metavar="rounds,async", help="Of the simulated workers; both if left out."),
]
BatchOption = Annotated[
    str | None,
    typer.Option("--batch", metavar="N|workers", help="Enlarge the rounds of simulated workers to so many."),
]


def simulation(
    workers: str | None, durations: str | None, schedule: str | None, batch: str | None
) -> Simulation | None:
    """What the options ask for; ``None`` without ``--workers-simulated``.

    Raises:
        InputError: options that need others, or that say what makes no sense.
    """
    from naopt.bench import SCHEDULES, Simulation, parse_durations, parse_schedule
    from naopt.errors import InputError

    if workers is None:
        for option, value in (("--durations", durations), ("--schedule", schedule), ("--batch", batch)):
            if value is not None:
                raise InputError(option, value, "is for simulated workers; needs --workers-simulated")
        return None
    if durations is None:
        raise InputError("--workers-simulated", workers, "needs --durations: how long does an evaluation take?")
    return Simulation(
        durations=parse_durations(durations),
        workers=[_number("--workers-simulated", text) for text in workers.split(",")],
        schedules=[parse_schedule(one.strip()) for one in schedule.split(",")] if schedule is not None else SCHEDULES,
        batch="workers" if batch == "workers" else _number("--batch", batch or "1"),
    )


def _number(option: str, text: str) -> int:
    from naopt.errors import InputError

    try:
        return int(text)
    except ValueError as error:
        rule = "must be whole numbers" if option == "--workers-simulated" else "must be a whole number, or workers"
        raise InputError(option, text, rule) from error


def print_simulation(document: dict[str, Any]) -> None:
    """A line for each searcher, number of workers and schedule; nothing if there was no simulation."""
    found = document["simulated"]
    if found is None:
        return
    unit = f" {found['unit']}" if found["unit"] else ""
    say(
        f"simulated workers, durations {found['durations']}: {document['report_metric']} at half and all of the wall "
        "time after which the quickest search is done"
    )
    columns = ("searcher", "workers", "schedule", "busy", "before the last began", f"wall time{unit}", "half", "all",
               "median queries to the optimum", "of one worker's", f"median time to it{unit}")  # fmt: skip
    rows = [
        (name, int(workers), schedule, *_cells(one, document["budget"]))
        for workers in map(str, found["workers"])
        for name, own in found["searchers"].items()
        for schedule, one in own[workers].items()
    ]
    print_table(columns, rows)
    half = len(found["fractions"]) // 2 - 1
    for name, own in found["paired"].items():
        for workers, pair in own.items():
            said = ", ".join(
                f"{interval(pair['mean_difference'][at], pair['ci95'][at])} at {100 * found['fractions'][at]:.0f} %"
                for at in (half, -1)
            )
            of = "1 worker" if workers == "1" else f"{workers} workers"
            say(f"{name} with {of}, async against rounds at equal wall time: {said}")


def _cells(one: dict[str, Any], budget: int) -> tuple[str | float, ...]:
    half = len(one["mean_report_metric"]) // 2 - 1
    return (
        *(f"{100 * share['mean']:.1f} %" if share else "-" for share in (one["busy"], one["busy_before_last"])),
        sum(one["wall_per_trial"]) / len(one["wall_per_trial"]),
        *(interval(one["mean_report_metric"][at], one["ci95"][at]) for at in (half, -1)),
        median_to_optimum(one, "queries", budget),
        "-" if one["query_ratio"] is None else f"{one['query_ratio']:.2f}",
        median_to_optimum(one, "wall"),
    )
