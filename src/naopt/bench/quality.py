"""How well performance models predict and decode: fitted on random rows of a table, tested on others.

As in section 4.1 and Fig. 2a of the NAO paper, except that the test rows are never among those trained on.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from naopt.bench.workers import run_jobs
from naopt.errors import InputError
from naopt.metrics import hamming_distance, kendall_tau, noise_ceiling, pairwise_accuracy, spearman
from naopt.spaces import Architecture, SearchSpace
from naopt.tables import Table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from naopt.latent.base import PerformanceModel

_LEAST_TEST = 2


@dataclass(frozen=True)
class QualityStudy:
    """What is measured.

    At one trial all models have the same rows, and a larger training set contains the smaller ones; with ``held_out``
    all sizes are tested on the same rows too.

    Attributes:
        table: rows without the metric are left out.
        metric: what the models predict, the mean over repeats.
        models: names in the registry of performance models.
        train_sizes: numbers of training rows.
        trials: per model and size, each with other rows.
        held_out: number of test rows; ``None`` for all that are not trained on.
        seed: of the study, non-negative.

    Raises:
        InputError: a number out of range, an unknown model or metric, or more rows than the table has.
    """

    table: Table
    metric: str
    models: Sequence[str]
    train_sizes: Sequence[int]
    trials: int
    held_out: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        from naopt.latent import models

        for name in self.models:
            models.get(name)
        for what, values in (("models", self.models), ("train sizes", self.train_sizes)):
            if not values or len(set(values)) != len(values):
                raise InputError(what, ",".join(map(str, values)), "name at least one, none twice")
        least = [("trials", self.trials, 1), ("seed", self.seed, 0), ("train size", min(self.train_sizes), 1)]
        if self.held_out is not None:
            least.append(("held-out", self.held_out, _LEAST_TEST))
        for name, value, bound in least:
            if value < bound:
                raise InputError(name, value, f"must be at least {bound}")
        rows, test = len(self.measured_rows()), self.held_out or _LEAST_TEST
        if max(self.train_sizes) + test > rows:
            rule = f"table {self.table.name} has {rows} rows with {self.metric}, of which {test} are for the test"
            raise InputError("train size", max(self.train_sizes), rule)

    def measured_rows(self) -> NDArray[np.int64]:
        """Rows that have the metric."""
        return np.flatnonzero(np.isfinite(self.table.values(self.metric)))

    def split(self, size: int, trial: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Training rows ``(size,)`` and test rows of a trial."""
        order = np.random.default_rng([self.seed, trial]).permutation(self.measured_rows())
        if self.held_out is None:
            return order[:size], order[size:]
        return order[self.held_out : self.held_out + size], order[: self.held_out]


def measure_quality(
    study: QualityStudy, workers: int = 1, on_trial: Callable[[str], None] = lambda _: None
) -> dict[str, Any]:
    """The document of ``naopt quality --json``.

    ``models`` -> name -> training size -> measure -> ``mean`` and ``trials``; ``ceiling`` is what the repeats of the
    table leave to reach (``NoiseCeiling``), ``None`` if there are none. ``hamming`` is the mean number of tokens per
    architecture that the decoder gets wrong, ``exact_match`` and ``valid`` are shares of the test architectures;
    models without a decoder lack these three.

    Args:
        study: what to measure.
        workers: processes at a time; changes nothing but ``fit_seconds``.
        on_trial: is called with a line about each trial that ends.

    Raises:
        JobError: a trial raised; the others are stopped.
        InputError: fewer than 1 worker.
    """
    if workers < 1:
        raise InputError("workers", workers, "must be at least 1")
    jobs = {
        f"model {name}, {size} rows, trial {trial}": (study, name, size, trial)
        for trial in range(study.trials)
        for size in study.train_sizes
        for name in study.models
    }
    found: dict[str, dict[str, float]] = {}
    with closing(run_jobs(measure_model, jobs, workers)) as results:
        for key, measures in results:
            found[key] = measures
            on_trial(key)
    ceiling = noise_ceiling(study.table.metrics[study.metric])
    return {
        "table": study.table.name,
        "metric": study.metric,
        "rows": len(study.measured_rows()),
        "positions": len(study.table.space.positions),
        "held_out": study.held_out,
        "trials": study.trials,
        "seed": study.seed,
        "ceiling": ceiling and asdict(ceiling),
        "models": {
            name: {
                str(size): _collect(
                    [found[f"model {name}, {size} rows, trial {trial}"] for trial in range(study.trials)]
                )
                for size in study.train_sizes
            }
            for name in study.models
        },
    }


def measure_model(study: QualityStudy, name: str, size: int, trial: int) -> dict[str, float]:
    """Fits and tests one model, in this process; measures by name."""
    from naopt.latent import models

    table, goal = study.table, study.table.info(study.metric).goal
    scores = table.values(study.metric) if goal == "max" else -table.values(study.metric)
    train, test = study.split(size, trial)
    seed = int(np.random.SeedSequence([study.seed, trial]).generate_state(1)[0])
    model = models.get(name)(table.space, seed)
    architectures = [table.architecture(row) for row in train.tolist()]
    started = time.perf_counter()
    model.fit(architectures, scores[train])
    seconds = time.perf_counter() - started
    unseen = [table.architecture(row) for row in test.tolist()]
    predicted = model.predict(unseen)
    return {
        "kendall_tau": kendall_tau(scores[test], predicted),
        "pairwise_accuracy": pairwise_accuracy(scores[test], predicted),
        "spearman": spearman(scores[test], predicted),
        **_decoder(model, table.space, unseen),
        "fit_seconds": seconds,
    }


def _decoder(model: PerformanceModel, space: SearchSpace, architectures: Sequence[Architecture]) -> dict[str, float]:
    decoded = model.reconstruct(architectures)
    if decoded is None:
        return {}
    distances = [hamming_distance(a, b) for a, b in zip(decoded, model.presented(architectures), strict=True)]
    return {
        "hamming": float(np.mean(distances)),
        "exact_match": float(np.mean([distance == 0 for distance in distances])),
        "valid": float(np.mean([space.contains(tokens) for tokens in decoded])),
    }


def _collect(trials: Sequence[dict[str, float]]) -> dict[str, dict[str, Any]]:
    """By measure: mean over trials, and the trials; ``None`` for what is not defined."""
    return {
        measure: {
            "mean": _number(float(np.mean([trial[measure] for trial in trials]))),
            "trials": [_number(trial[measure]) for trial in trials],
        }
        for measure in trials[0]
    }


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value
