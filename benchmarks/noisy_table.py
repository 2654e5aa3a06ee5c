"""Tables that are noisier, coarser or more rugged than a given one, to try searchers on.

``python -m benchmarks.noisy_table --table nasbench201.npz --metric valid_acc/cifar10 --images 90 --out coarse.npz``
``python -m benchmarks.noisy_table --table nasbench201.npz --metric valid_acc/cifar10 --own 0.3 --distinct 50 --out
rugged.npz``

With ``--images`` the metric, in percent, becomes ``coarse``: of so many images those that a classifier of that accuracy
gets right (binomial), with its standard error ``coarse_se`` as an evaluator would state it; with ``--draws 10`` so many
draws, of which ``--noise repeat`` sees one a query. With ``--own`` it becomes
``rugged``: ranks as normal scores, a share of whose variance is drawn anew for each architecture, and which
``--distinct`` rounds to so many values. All other columns stay as they are. ``naopt bench`` does the rest.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.output import failed, note
from naopt.errors import InputError, NaoptError
from naopt.latent.targets import Targets
from naopt.measurement import MetricInfo, error_name
from naopt.tables import Table, load_table, save_table

COARSE, RUGGED = "coarse", "rugged"


def coarse(table: Table, metric: str, images: int, rng: np.random.Generator, draws: int = 1) -> Table:
    """With what so many images would say of an accuracy in percent. Raises ``InputError`` for what is none."""
    shares = table.values(metric) / 100
    measured = np.isfinite(shares)
    if shares[measured].min() < 0 or shares[measured].max() > 1:
        raise InputError("metric", metric, "must be in percent, for images are drawn")
    drawn = rng.binomial(images, np.where(measured, shares, 0)[:, None], (len(shares), draws))
    hits = np.where(measured[:, None], drawn, np.nan)
    hits = hits[:, 0] if draws == 1 else hits
    guessed = (np.mean(hits.reshape(len(shares), -1), axis=1) + 0.5) / (images + 1)
    columns = {COARSE: 100 * hits / images, error_name(COARSE): 100 * np.sqrt(guessed * (1 - guessed) / images)}
    infos = {COARSE: MetricInfo("max", "%"), error_name(COARSE): MetricInfo("min", "%")}
    return replace(table, metrics={**columns, **table.metrics}, infos={**infos, **table.infos})


def rugged(table: Table, metric: str, own: float, distinct: int, rng: np.random.Generator) -> Table:
    """With normal scores of the metric's ranks of whose variance ``own`` is each architecture's, in few values."""
    values = (1 if table.info(metric).goal == "max" else -1) * table.values(metric)
    measured = np.isfinite(values)
    scores = Targets.fit(values[measured], "rank").transform(values[measured])
    mixed = np.sqrt(1 - own) * scores + np.sqrt(own) * rng.standard_normal(len(scores))
    low, high = mixed.min(), mixed.max()
    if distinct:
        mixed = low + np.round((mixed - low) / (high - low) * (distinct - 1)) * (high - low) / (distinct - 1)
    column = np.full(len(values), np.nan)
    column[measured] = mixed
    return replace(table, metrics={RUGGED: column, **table.metrics}, infos={RUGGED: MetricInfo("max"), **table.infos})


def main(arguments: Sequence[str] | None = None) -> None:
    """Makes a table; bad input ends with one line and exit code 2."""
    parser = argparse.ArgumentParser(description="A noisier, coarser or more rugged table.")
    parser.add_argument("--table", type=Path, required=True)
    parser.add_argument("--metric", required=True)
    parser.add_argument("--images", type=int, default=0, help="binomial with so many images")
    parser.add_argument("--draws", type=int, default=1, help="with --images, how many there are of each")
    parser.add_argument("--own", type=float, default=None, help="share of the variance that is each architecture's own")
    parser.add_argument("--distinct", type=int, default=0, help="with --own, how many values there are; 0: no matter")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(arguments)
    try:
        if (options.images > 0) == (options.own is not None):
            raise InputError("--images", options.images, "must be at least 1, or --own be given: one of them")
        if options.own is not None and not 0 <= options.own < 1:
            raise InputError("--own", options.own, "must be at least 0 and less than 1")
        if options.draws < 1 or (options.draws > 1 and not options.images):
            raise InputError("--draws", options.draws, "must be at least 1, and is for --images")
        if options.distinct and options.distinct < 2:
            raise InputError("--distinct", options.distinct, "must be at least 2, or 0")
        table, rng = load_table(options.table), np.random.default_rng(options.seed)
        if options.own is None:
            made = coarse(table, options.metric, options.images, rng, options.draws)
        else:
            made = rugged(table, options.metric, options.own, options.distinct, rng)
        save_table(made, options.out)
    except NaoptError as error:
        raise failed(error, code=2) from error
    note(f"{options.out}: {len(made)} architectures, {next(iter(made.metrics))} of {options.metric}")


if __name__ == "__main__":
    main()
