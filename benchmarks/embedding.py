"""What the default latent model costs and recovers, space by space: ``python -m benchmarks.embedding``.

Pretraining without a label (embedding and decoder, nothing from the cache), exact recovery of unseen architectures,
validity of what decodes far from any architecture, and the time of a fit to 150 labels (of a toy score).
"""

from __future__ import annotations

import os
import tempfile
import time
from typing import Annotated

import numpy as np
import typer

from naopt.latent.embedding_model import EmbeddingModel
from naopt.latent.embedding_settings import EmbeddingSettings
from naopt.latent.threads import one_thread
from naopt.spaces import create_space

SPACES = (
    "conv-cell",
    "conv-cell:operations=enas-5",
    "conv-cell:operations=darts-7,output=nodes",
    "recurrent-cell",
    "nasbench101",
    "nasbench201",
    "recurrent-baseline",
)
LABELS = 150
_REPEATS = 5


def measure(name: str, unseen: int, settings: EmbeddingSettings) -> str:
    """A row of the table for one space; ``unseen`` architectures are decoded."""
    space = create_space(name)
    model = EmbeddingModel(space, settings)
    with tempfile.TemporaryDirectory() as folder, one_thread():
        os.environ["NAOPT_CACHE"] = folder
        started = time.process_time()
        pretrained = model.pretrained
        seconds = time.process_time() - started
    with one_thread():
        rng = np.random.default_rng(1)
        fresh = [space.sample(rng) for _ in range(unseen)]
        pairs = zip(model.presented(fresh), model.reconstruct(fresh), strict=True)
        exact = float(np.mean([given == decoded for given, decoded in pairs]))
        points = model.encode(fresh)
        far = points + 3 * pretrained.embedding.spread * rng.standard_normal(points.shape)
        valid = float(np.mean([space.contains(tokens) for tokens in model.decode(far)]))
        labelled = list(dict.fromkeys(fresh))[:LABELS]
        scores = np.array([float(np.cos(np.asarray(a.tokens, dtype=float)).sum()) for a in labelled])
        fits = []
        for _ in range(_REPEATS):
            anew = EmbeddingModel(space, settings)
            anew.pretrained.embedding.encode(labelled)
            started = time.perf_counter()
            anew.fit(labelled, scores)
            fits.append(time.perf_counter() - started)
    return (
        f"| `{name}` | {pretrained.embedding.dimensions} | {seconds:.1f} | {exact:.2%} | {valid:.0%} "
        f"| {1000 * float(np.median(fits)):.0f} |"
    )


def main(
    spaces: Annotated[list[str] | None, typer.Argument(help="Names; options of a space after a colon.")] = None,
    unseen: Annotated[int, typer.Option(min=1, help="Architectures to decode.")] = 5000,
    unlabelled: Annotated[int, typer.Option(min=1, help="Architectures to learn from.")] = 4000,
    steps: Annotated[int | None, typer.Option(min=0, help="Of pretraining; the default if left out.")] = None,
) -> None:
    """Prints a table as Markdown."""
    head = ["space", "dimensions", "pretraining, CPU s", f"exact of {unseen:,}", "valid", f"fit to {LABELS}, ms"]
    typer.echo(f"| {' | '.join(head)} |\n|{'---|' * len(head)}")
    for name in spaces or SPACES:
        typer.echo(measure(name, unseen, EmbeddingSettings(unlabelled=unlabelled, pretraining_steps=steps)))


if __name__ == "__main__":
    typer.run(main)
