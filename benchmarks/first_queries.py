"""Designs for the first queries of ``nao``, in place of random architectures.

``python -m benchmarks.first_queries --table nasbench201.npz --metric valid_acc/cifar10 --trials 30``

The first five queries are drawn at random, or are, of 400 random architectures: medoids of five clusters; one after
the other what is farthest from those before (``maximin``); or drawn so that what is alike is unlikely together, as in a
determinantal point process, one after the other with the squared variance that a process has left there (``spread``).
Distances are those of the embedding, each block with equal variance. All else is the default. Figures are means of the
best value so far after 10, 25 and 50 queries, and the queries to the table's best one; differences are those to random
ones, trial by trial.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.output import failed, note
from naopt.errors import NaoptError, UnknownNameError
from naopt.latent.distances import squared_distances
from naopt.latent.embedding_settings import EmbeddingSettings
from naopt.latent.pretraining import pretrained
from naopt.measurement import Measurement
from naopt.metrics import paired_summary
from naopt.problem import Objective
from naopt.searchers import make_searcher, searchers
from naopt.spaces import Architecture
from naopt.tables import Table, load_table

Array = NDArray[np.float64]
Design = Callable[[Array, int, np.random.Generator], list[int]]
"""From squared distances ``(n, n)`` which ``k`` are taken."""

_DRAWN, _FIRST, _ROUNDS = 400, 5, 30
_POINTS = (10, 25, 50)
_JITTER = 1e-8


def medoids(squares: Array, count: int, rng: np.random.Generator) -> list[int]:
    """Of each cluster the member that is nearest to the others, by alternation from random ones."""
    chosen = rng.choice(len(squares), count, replace=False).tolist()
    for _ in range(_ROUNDS):
        nearest = squares[:, chosen].argmin(axis=1)
        members = [np.flatnonzero(nearest == cluster) for cluster in range(count)]
        moved = [int(m[squares[np.ix_(m, m)].sum(axis=1).argmin()]) for m in members]
        if moved == chosen:
            break
        chosen = moved
    return list(rng.permutation(chosen).tolist())


def maximin(squares: Array, count: int, rng: np.random.Generator) -> list[int]:
    """Each the farthest from those before, from a random one."""
    chosen = [int(rng.integers(len(squares)))]
    while len(chosen) < count:
        chosen.append(int(squares[:, chosen].min(axis=1).argmax()))
    return chosen


def spread(squares: Array, count: int, rng: np.random.Generator) -> list[int]:
    """Drawn with the squared variance that those before leave."""
    kernel = np.exp(-squares / (2 * np.median(squares[squares > 0])))
    chosen: list[int] = []
    variance = np.ones(len(squares))
    for _ in range(count):
        weights = np.maximum(variance, 0) ** 2
        weights[chosen] = 0
        chosen.append(int(rng.choice(len(squares), p=weights / weights.sum())))
        known = kernel[np.ix_(chosen, chosen)] + _JITTER * np.eye(len(chosen))
        variance = 1 - (kernel[chosen] * np.linalg.solve(known, kernel[chosen])).sum(axis=0)
    return chosen


DESIGNS: dict[str, Design | None] = {"random": None, "medoids": medoids, "maximin": maximin, "spread": spread}


def designed(table: Table, design: Design | None, seed: int) -> list[Architecture]:
    """The first architectures of a trial; none for what the searcher draws itself."""
    if design is None:
        return []
    rng, made = np.random.default_rng([77, seed]), pretrained(table.search_space(), EmbeddingSettings())
    rows = rng.permutation(len(table))[:_DRAWN]
    drawn = list(dict.fromkeys(table.architecture(int(row)) for row in rows))
    blocks = made.embedding.split(made.embedding.encode(drawn))
    scaled = [block / np.sqrt(max(float(block.var(axis=0).sum()), _JITTER)) for block in blocks]
    points = np.concatenate(scaled, axis=1)
    return [drawn[at] for at in design(squared_distances(points, points), _FIRST, rng)]


def trial(table: Table, objective: Objective, design: Design | None, seed: int, budget: int) -> list[float]:
    """Best values after 10, 25 and 50 queries, and the queries to the best row (one more than the budget if never)."""
    kind = searchers.get("nao")
    space = table.search_space()
    searcher = make_searcher(kind, space, objective, kind.settings_type(), seed=seed, budget=budget)
    scores = objective.sign * table.values(objective.metric)
    best, found, waiting = np.nanmax(scores), list[float](), designed(table, design, seed)
    while len(found) < budget and (len(found) < max(_POINTS) or max(found) < best):
        asked = waiting or [proposal.architecture for proposal in searcher.ask(searcher.round_size)]
        waiting = []
        for architecture in asked:
            row = table.row(architecture)
            assert row is not None
            found.append(float(scores[row]))
            searcher.tell(architecture, Measurement({objective.metric: objective.sign * found[-1]}))
    hit = found.index(best) + 1 if best in found else budget + 1
    return [*(max(found[:count]) for count in _POINTS), float(hit)]


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the trials; bad input ends with one line and exit code 2."""
    parser = argparse.ArgumentParser(description="Designs for the first queries of nao.")
    parser.add_argument("--table", required=True)
    parser.add_argument("--metric", required=True)
    parser.add_argument("--budget", type=int, default=150)
    parser.add_argument("--trials", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1000)
    parser.add_argument("--designs", default=",".join(DESIGNS), metavar="NAME,NAME", help="random comes first anyway")
    options = parser.parse_args(arguments)
    try:
        table = load_table(Path(options.table) if Path(options.table).exists() else options.table)
        objective = Objective(options.metric, table.info(options.metric).goal)
        seeds = range(options.seed, options.seed + options.trials)
        found: dict[str, Array] = {}
        for name in dict.fromkeys(["random", *options.designs.split(",")]):
            if name not in DESIGNS:
                raise UnknownNameError("design", name, DESIGNS)
            design = DESIGNS[name]
            found[name] = np.array([trial(table, objective, design, seed, options.budget) for seed in seeds])
            values, queries = found[name][:, :-1].mean(axis=0), found[name][:, -1]
            text = ", ".join(f"{value:.3f} after {count}" for value, count in zip(values, _POINTS, strict=True))
            difference = paired_summary(queries, found["random"][:, -1]).difference
            low, high = difference.ci95
            note(
                f"{name}: {text}; to the best median {np.median(queries):g}, mean {queries.mean():.1f}, "
                f"against random {difference.mean:+.1f} [{low:.1f}, {high:.1f}]"
            )
    except NaoptError as error:
        raise failed(error, code=2) from error


if __name__ == "__main__":
    main()
