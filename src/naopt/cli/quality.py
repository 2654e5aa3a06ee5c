"""``naopt quality``: how well performance models predict and decode."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from naopt.cli.common import JsonOption, emit, print_table, say
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

if TYPE_CHECKING:
    from naopt.bench import QualityJournal, QualityStudy, QualityTrial

_INTERVALS = ("kendall_tau", "pairwise_accuracy", "spearman")
_MEANS = (
    "precision_at_10",
    "precision_at_50",
    "best_rank_at_10",
    "hamming",
    "exact_match",
    "valid",
    "fit_seconds",
    "predict_seconds",
)


def quality(
    table: TableOption,
    metric: Annotated[str, typer.Option("--metric", metavar="M", help="What the models predict.")],
    models: Annotated[
        str,
        typer.Option(
            "--models",
            metavar="A,B:KEY=VALUE,...",
            help="Names, separated by commas; after a colon settings, separated by commas too.",
        ),
    ],
    train_sizes: Annotated[str, typer.Option("--train-sizes", metavar="N,N,...", help="Numbers of training rows.")],
    trials: Annotated[int, typer.Option("--trials", metavar="K", help="Trials of each model and size.")],
    held_out: Annotated[
        int | None, typer.Option("--held-out", metavar="N", help="Test rows; by default all that are not trained on.")
    ] = None,
    against: AgainstOption = None,
    seed: SeedOption = 0,
    workers: WorkersOption = 1,
    out: OutOption = None,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Measure how well models predict and decode architectures of a table that they were not fitted on."""
    from naopt.bench import QualityJournal, QualityStudy, summarise_quality
    from naopt.errors import UnknownNameError
    from naopt.tables import load_table

    study = QualityStudy(
        table=load_table(table),
        metric=metric,
        models=names_with_settings(models),
        train_sizes=[_size(text) for text in train_sizes.split(",")],
        trials=trials,
        held_out=held_out,
        seed=seed,
    )
    if against is not None and against not in study.models:
        raise UnknownNameError("--against, model", against, study.models)
    with own_folder(out), kept(out is not None, "stopped; with --out DIR the fits that ended would have been kept"):
        journal = QualityJournal(out, study, force=force) if out else None
        document = summarise_quality(study, _run(study, workers, journal), against)
        if out:
            from naopt.report.quality_page import write_quality

            write_quality(document, out)
    if as_json:
        emit(document)
    else:
        _print(document)


def _size(text: str) -> int:
    from naopt.errors import InputError

    try:
        return int(text)
    except ValueError as error:
        raise InputError("--train-sizes", text, "must be a whole number") from error


def _run(study: QualityStudy, workers: int, journal: QualityJournal | None) -> list[QualityTrial]:
    from naopt.bench import measure_quality

    wanted = {(m, size, trial) for m in study.models for size in study.train_sizes for trial in range(study.trials)}
    done = [t for t in journal.trials if (t.model, t.size, t.trial) in wanted] if journal else []
    if journal:
        note_reuse("fits", len(done), len(wanted), journal.dropped)
    with progress("fits", len(wanted), len(done), workers) as advance:

        def on_trial(trial: QualityTrial) -> None:
            if journal:
                journal.append(trial)
            advance()

        return measure_quality(study, workers, done, on_trial)


def _print(document: dict[str, Any]) -> None:
    from naopt.report.bench_elements import surrogate_lines

    say(f"{document['table']}: {document['metric']}, mean [95 % interval] over {document['trials']} trials")
    for line in surrogate_lines(document):
        say(line)
    shown = [*_INTERVALS, *_MEANS]
    rows = [
        (name, int(size), *(_cell(measures.get(measure), measure in _INTERVALS) for measure in shown))
        for name, sizes in document["models"].items()
        for size, measures in sizes.items()
    ]
    some = [0, 1, *(i for i in range(2, len(shown) + 2) if any(row[i] != "-" for row in rows))]
    columns = ("model", "trained on", *(measure.replace("_", " ") for measure in shown))
    print_table([columns[i] for i in some], [[row[i] for i in some] for row in rows])
    for name, sizes in document["paired"].items():
        for size, measures in sizes.items():
            pair = measures.get("kendall_tau")
            if pair is not None:
                low, high = pair["ci95"]
                say(
                    f"{name} against {document['against']}, trained on {size}: Kendall tau "
                    f"{pair['mean_difference']:+.4f} [{low:+.4f}, {high:+.4f}], "
                    f"better {pair['better']}, equal {pair['equal']}, worse {pair['worse']}"
                )
    ceiling = document["ceiling"]
    if ceiling is not None:
        say(
            f"ceiling by the table's repeats: pairwise accuracy {ceiling['perfect_against_mean']:.3f} for a perfect "
            f"predictor; two repeats agree with Kendall tau {ceiling['kendall_tau']:.3f}"
        )


def _cell(measure: dict[str, Any] | None, interval: bool) -> float | str:
    if measure is None or measure["mean"] is None:
        return "-"
    if interval:
        return f"{measure['mean']:.3f} [{measure['ci95'][0]:.3f}, {measure['ci95'][1]:.3f}]"
    return round(float(measure["mean"]), 4)
