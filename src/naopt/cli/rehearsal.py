"""``naopt search --dry-run``: all checks, one timed architecture or a few steps of shared weights, an estimate."""

from __future__ import annotations

import math
import statistics
import time
from contextlib import suppress
from typing import Any

import numpy as np

from naopt.cli.common import emit, say
from naopt.durations import in_words
from naopt.errors import InputError
from naopt.evaluators.training import TrainingEvaluator, select_device
from naopt.execution import Job, create_engine, evaluation_seed
from naopt.one_shot.assembly import assemble
from naopt.one_shot.evaluator import SharedWeightsEvaluator
from naopt.one_shot.kinds import shares_weights
from naopt.run.config import RunConfig
from naopt.run.finalist_training import LONGER
from naopt.run.setup import Setup, prepare

_PROXIES = 3
_STEPS, _SECONDS = 6, 10.0
"""Of shared weights: how many steps are timed, and for how long at most."""


class _Enough(BaseException):
    """Enough steps are timed."""


def rehearse(config: RunConfig, *, as_json: bool) -> None:
    """Prepares a search, measures one random architecture, and says how long the whole will take. Writes nothing.

    Of a search that shares weights a few steps of their training are done instead.

    Raises:
        InputError: a configuration or data that cannot be used, or an architecture that cannot be measured.
    """
    setup = prepare(config)
    setup.evaluator.check()
    shared = shares_weights(setup.config.searcher)
    found, lines = _time_steps(setup) if shared else _time_one(setup)
    remarks = setup.evaluator.remarks
    if as_json:
        about = {"space": setup.space.name, "size": setup.space.size, "searcher": setup.config.searcher}
        about["remarks"] = list(remarks)
        emit({**about, **found})
        return
    say(f"space:      {setup.space.describe()}")
    for remark in remarks:
        say(f"data:       {remark}")
    say(f"searcher:   {setup.config.searcher}, seed {setup.config.seed}")
    for line in lines:
        say(line)


def _time_one(setup: Setup) -> tuple[dict[str, Any], list[str]]:
    architecture = setup.space.sample(np.random.default_rng(setup.config.seed))
    budget, workers = setup.config.budget, setup.config.workers
    with create_engine(setup.config.engine, setup.evaluator, 1, setup.config.timeout or None) as engine:
        engine.submit(Job(0, architecture, evaluation_seed(setup.config.seed, architecture)))
        found = engine.next_done()
    assert found is not None
    measurement = found[1]
    text = setup.space.format(architecture)
    if not measurement.ok:
        raise InputError("architecture", text, f"{measurement.status}: {measurement.reason}")
    seconds = measurement.seconds * math.ceil(budget / workers)
    document = {
        "architecture": text,
        "metrics": dict(measurement.metrics),
        "seconds": measurement.seconds,
        "estimate_seconds": seconds,
    }
    many = f" with {workers} workers" if workers > 1 else ""
    finalists, trains = setup.config.finalists, isinstance(setup.evaluator, TrainingEvaluator)
    if finalists and trains and not setup.config.finalist_preset:
        longer = measurement.seconds * LONGER * math.ceil(finalists / workers)
        document["finalists_seconds"] = longer
        many += f", and about {in_words(longer)} for {finalists} finalists"
    proxies = []
    if (each := proxy_seconds(setup)) is not None:
        document["proxy_seconds"] = each
        proxies = [f"proxies:    {in_words(each)} an architecture, {each / measurement.seconds:.2g} of its training"]
    return document, [
        *proxies,
        f"tried:      {text}",
        f"            {', '.join(f'{name} {value:.5g}' for name, value in measurement.metrics.items())}",
        f"estimate:   {in_words(measurement.seconds)} each, about {in_words(seconds)} for {budget}{many}",
    ]


def proxy_seconds(setup: Setup) -> float | None:
    """What the proxies of one architecture take, whether they are in the cache or not; ``None`` without proxies."""
    from naopt.evaluators.proxy_costs import ProxyCosts

    known = setup.problem.priors
    if not isinstance(known, ProxyCosts):
        return None
    times: list[float] = []
    known.meter.prepare()
    for number in range(_PROXIES):
        architecture = setup.space.sample(np.random.default_rng([setup.config.seed, number]))
        begun = time.perf_counter()
        known.meter.measure(architecture, list(known.metrics), known.seed)
        times.append(time.perf_counter() - begun)
    return statistics.median(times)


def _time_steps(setup: Setup) -> tuple[dict[str, Any], list[str]]:
    from naopt.training.reproducible import reproducible

    config, evaluator, times = setup.config, setup.evaluator, [time.perf_counter()]
    assert isinstance(evaluator, SharedWeightsEvaluator)

    def stepped() -> None:
        times.append(time.perf_counter())
        if len(times) > _STEPS or times[-1] - times[0] > _SECONDS:
            raise _Enough

    with reproducible(config.seed, select_device(config.device), config.threads):
        trainer, _ = assemble(evaluator, config.searcher, seed=config.seed)
        times[0] = time.perf_counter()
        with suppress(_Enough):
            trainer.run(stepped)
    each = statistics.median(np.diff(times).tolist()[1:] or np.diff(times).tolist())
    steps = trainer.data.steps * trainer.epochs
    document = {"steps": steps, "seconds": each, "estimate_seconds": each * steps}
    line = f"{in_words(each)} a step, about {in_words(each * steps)} for {steps} of shared weights; then candidates"
    return document, [f"estimate:   {line}"]
