"""``naopt bench``: searchers against each other on a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from naopt.cli.bench_front import ReferenceOption, limit_lines, print_fronts, print_limited
from naopt.cli.common import JsonOption, emit, print_table, say
from naopt.cli.figures import interval, median_to_optimum
from naopt.cli.simulation import (
    BatchOption,
    DurationsOption,
    ScheduleOption,
    WorkersSimulatedOption,
    print_simulation,
    simulation,
)
from naopt.cli.study import (
    AgainstOption,
    ForceOption,
    OutOption,
    SeedOption,
    TableOption,
    WorkersOption,
    kept,
    names_with_settings,
    note_reuse,
    own_folder,
    progress,
)
from naopt.cli.wanted import (
    FidelitiesOption,
    FidelityCostsOption,
    KnownOption,
    MaxOption,
    MinOption,
    OtherHistoryOption,
    PriorColumnsOption,
    RemeasureOption,
    ScalariseOption,
    by_metric,
    numbers_given,
)

if TYPE_CHECKING:
    from naopt.bench import Comparison, Journal, SearchTrial


def bench(
    table: TableOption,
    metric: Annotated[
        str,
        typer.Option(
            "--metric", "--objective", metavar="M[,M...]", help="What is searched by; several objectives make a front."
        ),
    ],
    searchers: Annotated[
        str,
        typer.Option(
            "--searchers",
            metavar="A,B:KEY=VALUE,...",
            help="Names, separated by commas; after a colon settings, separated by commas too.",
        ),
    ],
    budget: Annotated[int, typer.Option("--budget", metavar="N", help="Queries of one trial.")],
    trials: Annotated[int, typer.Option("--trials", metavar="K", help="Trials of each searcher.")],
    report_metric: Annotated[
        str | None,
        typer.Option("--report-metric", metavar="M2", help="Reported of what M selects; M itself if left out."),
    ] = None,
    noise: Annotated[
        str, typer.Option("--noise", metavar="mean|repeat", help="Of M's repeats: their mean, or one drawn a query.")
    ] = "mean",
    pick: Annotated[
        str,
        typer.Option(
            "--pick",
            metavar="expected|measured",
            help="By what is picked, where M has standard errors.",
        ),
    ] = "expected",
    at_most: MaxOption = None,
    at_least: MinOption = None,
    known: KnownOption = None,
    prior_columns: PriorColumnsOption = None,
    fidelities: FidelitiesOption = None,
    fidelity_costs: FidelityCostsOption = None,
    remeasure: RemeasureOption = None,
    history: OtherHistoryOption = None,
    scalarise: ScalariseOption = None,
    reference: ReferenceOption = None,
    against: AgainstOption = None,
    every: Annotated[int, typer.Option("--every", metavar="N", help="Queries between two checkpoints.")] = 10,
    seed: SeedOption = 0,
    workers: WorkersOption = 1,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="[NAME.]KEY=VALUE", help="A setting of one searcher, or of all that have it."),
    ] = None,
    workers_simulated: WorkersSimulatedOption = None,
    durations: DurationsOption = None,
    schedule: ScheduleOption = None,
    batch: BatchOption = None,
    out: OutOption = None,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Compare searchers on a table: same budget, same seeds."""
    from naopt.bench import Comparison, Journal, searcher_settings, summarise_trials
    from naopt.bench.choice import parse_choice
    from naopt.errors import UnknownNameError
    from naopt.evaluators.table import parse_noise
    from naopt.problem import limits_of
    from naopt.searchers import Scalarisation
    from naopt.tables import load_table

    listed = names_with_settings(searchers)
    comparison = Comparison(
        table=load_table(table),
        metric=metric,
        report_metric=report_metric or metric,
        settings=searcher_settings(listed, settings or []),
        budget=budget,
        trials=trials,
        seed=seed,
        noise=parse_noise(noise),
        pick=parse_choice(pick),
        every=every,
        simulation=simulation(workers_simulated, durations, schedule, batch),
        limits=limits_of(by_metric("--max", at_most), by_metric("--min", at_least)),
        known=tuple(known.split(",")) if known else (),
        prior_columns=tuple(prior_columns.split(",")) if prior_columns else (),
        fidelities=tuple(fidelities.split(",")) if fidelities else (),
        fidelity_costs=numbers_given("--fidelity-costs", fidelity_costs),
        remeasure=1 if remeasure is None else remeasure,
        history=tuple(history or ()),
        scalarisation=Scalarisation.parse(scalarise) if scalarise else None,
        reference=by_metric("--reference", reference),
    )
    if against is not None and against not in listed:
        raise UnknownNameError("--against, searcher", against, listed)
    with own_folder(out), kept(out is not None, "stopped; with --out DIR the trials that ended would have been kept"):
        journal = Journal(out, comparison, force=force) if out else None
        found = _run(comparison, workers, journal)
        document = summarise_trials(comparison, found, against)
        if out:
            from naopt.report.bench_page import write_bench

            write_bench(document, found, out)
    if as_json:
        emit(document)
    elif comparison.several:
        print_fronts(document)
    else:
        _print(document)


def _run(comparison: Comparison, workers: int, journal: Journal | None) -> list[SearchTrial]:
    from naopt.bench import compare

    wanted = set(comparison.searches)
    known = journal.trials if journal else []
    done = [trial for trial in known if (trial.searcher, trial.trial, trial.crew) in wanted]
    if journal:
        note_reuse("trials", len(done), len(wanted), journal.dropped)
    with progress("trials", len(wanted), len(done), workers) as advance:

        def on_trial(trial: SearchTrial) -> None:
            if journal:
                journal.append(trial)
            advance()

        return compare(comparison, workers, done, on_trial)


def _print(document: dict[str, Any]) -> None:
    from naopt.bench import checkpoint_columns
    from naopt.report.bench_elements import surrogate_lines

    points = checkpoint_columns(document["checkpoints"])
    unit = f" ({document['unit']})" if document["unit"] else ""
    say(
        f"{document['table']}: {document['report_metric']}{unit} of the architecture selected by {document['metric']}, "
        f"mean [95 % interval] over {document['trials']} trials"
        + (", one repeat seen a query" if document["noise"] == "repeat" else "")
    )
    for line in (*limit_lines(document), *surrogate_lines(document)):
        say(line)
    print_table(
        (
            "searcher",
            *(f"{document['checkpoints'][i]} queries" for i in points),
            "optimum found",
            "median queries to it",
            "s/trial",
        ),
        [
            (
                name,
                *(interval(found["mean_report_metric"][i], found["ci95"][i]) for i in points),
                f"{found['optimum_found']}/{document['trials']}",
                median_to_optimum(found, "queries", document["budget"]),
                sum(found["seconds_per_trial"]) / document["trials"],
            )
            for name, found in document["searchers"].items()
        ],
    )
    _print_pairs(document)
    _print_origins(document)
    print_limited(document)
    print_simulation(document)


def _print_pairs(document: dict[str, Any]) -> None:
    for name, pair in document["paired"].items():
        difference, ends = pair["mean_difference"][-1], pair["ci95"][-1]
        known = difference is not None
        say(
            f"{name} against {pair['against']} after {document['budget']} queries: {interval(difference, ends)}"
            + (f", better {pair['better'][-1]}, equal {pair['equal'][-1]}, worse {pair['worse'][-1]}" if known else "")
            + (f", p {pair['p_wilcoxon'][-1]:.2g} (Wilcoxon)" if known else "")
        )


def _print_origins(document: dict[str, Any]) -> None:
    """For searchers whose queries come from more than one source: what each has earned."""
    for name, found in document["searchers"].items():
        if len(found["origins"]) > 1:
            earned = (f"{o} {c['queries']} ({c['improved']} improved)" for o, c in found["origins"].items())
            say(f"queries of {name}: {', '.join(earned)}")
