"""``naopt search --dry-run``: all checks, one timed architecture, an estimate."""

from __future__ import annotations

import math

import numpy as np

from naopt.cli.common import emit, say
from naopt.durations import in_words
from naopt.errors import InputError
from naopt.execution import Job, create_engine, evaluation_seed
from naopt.run.config import RunConfig
from naopt.run.setup import prepare


def rehearse(config: RunConfig, *, as_json: bool) -> None:
    """Prepares a search, measures one random architecture, and says how long the whole will take. Writes nothing.

    Raises:
        InputError: a configuration or data that cannot be used, or an architecture that cannot be measured.
    """
    setup = prepare(config)
    setup.evaluator.check()
    architecture = setup.space.sample(np.random.default_rng(setup.config.seed))
    timeout, workers = setup.config.timeout or None, setup.config.workers
    with create_engine(setup.config.engine, setup.evaluator, 1, timeout) as engine:
        engine.submit(Job(0, architecture, evaluation_seed(setup.config.seed, architecture)))
        found = engine.next_done()
    assert found is not None
    measurement = found[1]
    text = setup.space.format(architecture)
    if not measurement.ok:
        raise InputError("architecture", text, f"{measurement.status}: {measurement.reason}")
    seconds = measurement.seconds * math.ceil(setup.config.budget / workers)
    document = {
        "space": setup.space.name,
        "size": setup.space.size,
        "searcher": setup.config.searcher,
        "architecture": text,
        "metrics": dict(measurement.metrics),
        "seconds": measurement.seconds,
        "estimate_seconds": seconds,
    }
    if as_json:
        emit(document)
        return
    say(f"space:      {setup.space.describe()}")
    say(f"searcher:   {setup.config.searcher}, seed {setup.config.seed}")
    say(f"tried:      {text}")
    say(f"            {', '.join(f'{name} {value:.5g}' for name, value in measurement.metrics.items())}")
    workers_said = f" with {workers} workers" if workers > 1 else ""
    each, whole = in_words(measurement.seconds), in_words(seconds)
    say(f"estimate:   {each} each, about {whole} for {setup.config.budget}{workers_said}")
