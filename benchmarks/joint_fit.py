"""CPU time of a fit of encoder, predictor and decoder, and how well it predicts and decodes what it has not seen.

``python -m benchmarks.joint_fit --table FILE --metric M --train-size 424 --preset paper``

Presets ``paper`` and ``official`` fit encoder, predictor and decoder jointly as published; ``default`` is the model of
``nao`` by itself: its pretraining, of which nothing comes from the cache, and its fit. One thread; CPU time, because
other work on the machine makes wall time longer; building the space and the table is not counted. Kendall's tau,
Hamming distance and the share of architectures that are decoded exactly are over the rows that are not trained on.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from pathlib import Path
from typing import Annotated, Literal
from unittest import mock

import numpy as np
import typer

from naopt.bench.quality import QualityStudy
from naopt.errors import NaoptError
from naopt.latent import models
from naopt.latent.threads import one_thread
from naopt.metrics import hamming_distance, kendall_tau
from naopt.tables import load_table

MODELS = {"paper": "paper", "official": "official", "default": "nao"}
"""Presets and the models that have them."""


def measure(study: QualityStudy) -> dict[str, float]:
    """Figures of one fit, of the study's first model and size.

    Returns:
        ``cpu_seconds``, ``train_size``, ``test_size``, ``kendall_tau``, ``hamming`` in tokens and ``exact_match``.
    """
    table, (name, *_), (size, *_) = study.table, study.models, study.train_sizes
    scores = table.values(study.metric) * (1 if table.info(study.metric).goal == "max" else -1)
    train, test = study.split(size, 0)
    kept, tested = study.architectures(train), study.architectures(test)
    model = models.get(name)(table.space, study.seed)
    with one_thread(), tempfile.TemporaryDirectory() as folder, mock.patch.dict(os.environ, NAOPT_CACHE=folder):
        started = time.process_time()
        model.fit(kept, scores[train])
        seconds = time.process_time() - started
    given, decoded = model.presented(tested), model.reconstruct(tested)
    assert decoded is not None
    distances = [hamming_distance(a, b) for a, b in zip(given, decoded, strict=True)]
    return {
        "cpu_seconds": seconds,
        "train_size": float(len(train)),
        "test_size": float(len(test)),
        "kendall_tau": kendall_tau(scores[test], model.predict(tested)),
        "hamming": float(np.mean(distances)),
        "exact_match": float(np.mean([distance == 0 for distance in distances])),
    }


def main(
    table: Annotated[Path, typer.Option(help="A naopt-table; a row is a label.")],
    metric: Annotated[str, typer.Option(help="What is learnt.")],
    train_size: Annotated[int, typer.Option(min=1, help="Rows to fit on.")] = 424,
    preset: Annotated[Literal["paper", "official", "default"], typer.Option(help="Which model.")] = "paper",
    held_out: Annotated[int | None, typer.Option(min=2, help="Rows to test on; all others if left out.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the rows that are drawn, and of the fit.")] = 0,
) -> None:
    """Prints the figures as one JSON document."""
    try:
        study = QualityStudy(load_table(table), metric, [MODELS[preset]], [train_size], 1, held_out, seed)
        typer.echo(json.dumps({"preset": preset} | measure(study)))
    except NaoptError as error:
        typer.echo(f"joint_fit: {error}", err=True)
        raise typer.Exit(2) from None


if __name__ == "__main__":
    typer.run(main)
