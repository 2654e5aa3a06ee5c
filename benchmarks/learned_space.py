"""How well a process on each embedding predicts, and whether its intervals hold.

``python -m benchmarks.learned_space --table FILE --metric M --train-size N [--train-size N2]``: means over random
subsets of the table's rows, of which N are fitted and the others tested. Kendall's tau; the loss, the median over those
tested of the negative logarithm of the target's predicted density; and which share lies within the 90 % interval, of
those tested and of those fitted, each predicted from the others.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import typer
from scipy.stats import norm

from naopt.latent.embedding_settings import EmbeddingSettings
from naopt.latent.gaussian_process import GaussianProcess
from naopt.latent.pretraining import embedding_of
from naopt.latent.targets import Targets
from naopt.metrics import kendall_tau
from naopt.tables import load_table

EMBEDDINGS: tuple[Literal["components", "learned"], ...] = ("components", "learned")
_WITHIN = float(norm.ppf(0.95))

Array = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


def measure(groups: list[Array], product: range, scores: Array, train_size: int, seed: int) -> list[float]:
    """Tau, loss, and shares within the interval, of rows ``(n, columns)`` by group with scores ``(n,)``."""
    order = np.random.default_rng(seed).permutation(len(scores))
    fitted, tested = order[:train_size], order[train_size:]
    targets = Targets.fit(scores[fitted], "yeo-johnson")
    known = targets.transform(scores[fitted])
    process = GaussianProcess(levelled=True, product=product).fit([group[fitted] for group in groups], known)
    mean, variance = process.predict([group[tested] for group in groups])
    deviation = np.sqrt(variance + process.noise)
    away = (targets.transform(scores[tested]) - mean) / deviation
    guessed, spread = process.left_out()
    return [
        kendall_tau(scores[tested], mean),
        float(np.median(-norm.logpdf(away) + np.log(deviation))),
        float((np.abs(away) < _WITHIN).mean()),
        float((np.abs(known - guessed) < _WITHIN * np.sqrt(spread)).mean()),
    ]


def main(
    table: Annotated[Path, typer.Option(help="A table.")],
    metric: Annotated[str, typer.Option(help="What is predicted.")],
    train_size: Annotated[list[int], typer.Option(min=3, help="Rows to fit to.")],
    trials: Annotated[int, typer.Option(min=1, help="Random subsets.")] = 6,
    rows: Annotated[int, typer.Option(min=4, help="At most so many of the table's, at random.")] = 1500,
    unlabelled: Annotated[int, typer.Option(min=1, help="Architectures to learn from.")] = 4000,
    steps: Annotated[int | None, typer.Option(min=0, help="Of pretraining; the default if left out.")] = None,
) -> None:
    """Prints a table as Markdown."""
    found = load_table(table)
    chosen = np.random.default_rng(5).permutation(len(found))[:rows]
    scores = found.values(metric)[chosen]
    typer.echo("| labels | embedding | tau | loss | held | held, left out |\n|---|---|---|---|---|---|")
    for size in train_size:
        for name in EMBEDDINGS:
            settings = EmbeddingSettings(embedding=name, unlabelled=unlabelled, pretraining_steps=steps)
            embedding = embedding_of(found.space, settings)
            groups = embedding.split(embedding.encode([found.architecture(int(row)) for row in chosen]))
            values = np.mean(
                [measure(groups, embedding.together, scores, size, 200 + trial) for trial in range(trials)], axis=0
            )
            typer.echo(f"| {size} | {name} | {' | '.join(format(value, '.3f') for value in values)} |")


if __name__ == "__main__":
    typer.run(main)
