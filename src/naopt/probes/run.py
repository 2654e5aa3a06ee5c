"""Probes of a run: which architectures, and what is known of them."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from naopt.errors import InputError, UnknownNameError
from naopt.evaluators.table import TableEvaluator
from naopt.probes.adapters import subject_of
from naopt.probes.study import FEWEST, draw_architectures, probe
from naopt.run.contents import check_contents
from naopt.run.record import RunRecord, load_run
from naopt.run.setup import Setup, prepare
from naopt.spaces import SearchSpace, Tokens
from naopt.tables import Table, load_table


def probe_run(
    directory: str | Path,
    *,
    architectures: int = 500,
    permutations: int = 1000,
    seed: int = 0,
    table: str = "",
    metric: str = "",
) -> dict[str, Any]:
    """Probes what the searcher of a run has learned.

    The architectures are random ones of the space, no two isomorphic, with scores from a table. Where there is none,
    they are those that the run measured, filled up with random ones.

    Args:
        directory: of the run, finished or not.
        architectures: how many, at least 20.
        permutations: for each p value, at least 1.
        seed: of all randomness.
        table: a file or built-in name, to take scores from; by default the run's own.
        metric: the score that is to be predicted; by default the one that the run optimised.

    Returns:
        The document of ``naopt probe``: that of ``probe`` with ``run`` and ``searcher``.

    Raises:
        InputError: not a run, one whose searcher cannot be probed, or a table or metric that does not fit.
    """
    for name, value, least in (("--architectures", architectures, FEWEST), ("--permutations", permutations, 1)):
        if value < least:
            raise InputError(name, value, f"must be at least {least}")
    record = load_run(directory)
    setup = prepare(record.config, record.directory, check=partial(check_contents, record.directory, record.meta))
    metric = metric or setup.objective.metric
    scored_by = _table(setup, table)
    if scored_by is None:
        measured = _measured(record, setup.space, metric)
        chosen = draw_architectures(setup.space, architectures, seed, [setup.space.architecture(t) for t in measured])
        scores = [measured.get(architecture.tokens, math.nan) for architecture in chosen]
    else:
        values = scored_by.values(metric)
        chosen = draw_architectures(setup.space, architectures, seed)
        rows = [scored_by.row(architecture) for architecture in chosen]
        scores = [math.nan if row is None else float(values[row]) for row in rows]
    subject = subject_of(record, setup)
    found = probe(subject, chosen, np.array(scores), metric, permutations=permutations, seed=seed)
    return {"run": str(record.directory), "searcher": record.config.searcher, **found}


def _table(setup: Setup, source: str) -> Table | None:
    """The table of that name, or the run's own."""
    if not source:
        return setup.evaluator.table if isinstance(setup.evaluator, TableEvaluator) else None
    table = load_table(source)
    if table.space.name != setup.space.name:
        raise InputError("--table", source, f"is of space {table.space.name}; the run searched {setup.space.name}")
    return table


def _measured(record: RunRecord, space: SearchSpace, metric: str) -> dict[Tokens, float]:
    """What the run measured, by canonical tokens; of isomorphic architectures the first."""
    found: dict[Tokens, float] = {}
    names: dict[str, None] = {}
    for trial in record.evaluated:
        if trial.measurement is not None and trial.measurement.ok:
            names |= dict.fromkeys(trial.measurement.metrics)
            value = trial.measurement.metrics.get(metric)
            if value is not None:
                found.setdefault(space.canonical(trial.architecture.tokens), value)
    if names and metric not in names:
        raise UnknownNameError("metric", metric, names)
    return found
