"""``naopt quality``: how well performance models predict and decode."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from naopt.cli.common import JsonOption, emit, print_table, say, stderr_console

if TYPE_CHECKING:
    from naopt.bench import QualityStudy

_MEASURES = ("kendall_tau", "pairwise_accuracy", "spearman", "hamming", "exact_match", "valid", "fit_seconds")


def quality(
    table: Annotated[str, typer.Option("--table", metavar="FILE", help="A naopt-table, or a built-in one's name.")],
    metric: Annotated[str, typer.Option("--metric", metavar="M", help="What the models predict.")],
    models: Annotated[str, typer.Option("--models", metavar="A,B,...", help="Names, separated by commas.")],
    train_sizes: Annotated[str, typer.Option("--train-sizes", metavar="N,N,...", help="Numbers of training rows.")],
    trials: Annotated[int, typer.Option("--trials", metavar="K", help="Trials of each model and size.")],
    held_out: Annotated[
        int | None, typer.Option("--held-out", metavar="N", help="Test rows; by default all that are not trained on.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", metavar="S", help="Of all trials together.")] = 0,
    workers: Annotated[int, typer.Option("--workers", metavar="W", help="Processes; results do not depend on it.")] = 1,
    as_json: JsonOption = False,
) -> None:
    """Measure how well models predict and decode architectures of a table that they were not fitted on."""
    from naopt.bench import QualityStudy
    from naopt.tables import load_table

    study = QualityStudy(
        table=load_table(table),
        metric=metric,
        models=[name.strip() for name in models.split(",")],
        train_sizes=[_size(text) for text in train_sizes.split(",")],
        trials=trials,
        held_out=held_out,
        seed=seed,
    )
    document = _run(study, workers)
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


def _run(study: QualityStudy, workers: int) -> dict[str, Any]:
    from rich.progress import Progress

    from naopt.bench import measure_quality
    from naopt.errors import NaoptError

    console = stderr_console()
    with Progress(console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task("fits", total=study.trials * len(study.models) * len(study.train_sizes))
        try:
            return measure_quality(study, workers, lambda _: progress.advance(bar))
        except KeyboardInterrupt:
            raise NaoptError("stopped") from None


def _print(document: dict[str, Any]) -> None:
    say(f"{document['table']}: {document['metric']}, mean over {document['trials']} trials")
    print_table(
        ("model", "trained on", *(measure.replace("_", " ") for measure in _MEASURES)),
        [
            (name, int(size), *(_cell(measures.get(measure)) for measure in _MEASURES))
            for name, sizes in document["models"].items()
            for size, measures in sizes.items()
        ],
    )
    ceiling = document["ceiling"]
    if ceiling is not None:
        say(
            f"ceiling by the table's repeats: pairwise accuracy {ceiling['perfect_against_mean']:.3f} for a perfect "
            f"predictor; two repeats agree with Kendall tau {ceiling['kendall_tau']:.3f}"
        )


def _cell(measure: dict[str, Any] | None) -> float | str:
    return "-" if measure is None or measure["mean"] is None else round(float(measure["mean"]), 4)
