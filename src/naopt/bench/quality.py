"""How well performance models predict and decode: fitted on random rows of a table, tested on others.

As in section 4.1 and Fig. 2a of the NAO paper, except that the test rows are never among those trained on.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from naopt.bench.workers import run_jobs
from naopt.errors import InputError
from naopt.metrics import (
    best_rank_at_k,
    hamming_distance,
    kendall_tau,
    pairwise_accuracy,
    precision_at_k,
    spearman,
)
from naopt.spaces import Architecture, SearchSpace
from naopt.tables import Table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from naopt.latent.base import PerformanceModel

_LEAST_TEST = 2
_TOP = (10, 50)


@dataclass(frozen=True)
class QualityStudy:
    """What is measured.

    At one trial all models have the same rows, and a larger training set contains the smaller ones; with ``held_out``
    all sizes are tested on the same rows too.

    Attributes:
        table: rows without the metric are left out.
        metric: what the models predict, the mean over repeats.
        models: names in the registry of performance models, with settings or without (``create_model``).
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
        from naopt.latent import create_model

        for name in self.models:
            create_model(name, self.table.space, 0)
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

    def architectures(self, rows: NDArray[np.int64]) -> list[Architecture]:
        """The architectures of some rows; each is made once for all trials of a process."""
        made = self._made
        for row in rows.tolist():
            if row not in made:
                made[row] = self.table.architecture(row)
        return [made[row] for row in rows.tolist()]

    @cached_property
    def _made(self) -> dict[int, Architecture]:
        return {}

    def __reduce__(self) -> tuple[type[QualityStudy], tuple[Any, ...]]:
        return type(self), tuple(getattr(self, field.name) for field in fields(self))

    def split(self, size: int, trial: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Training rows ``(size,)`` and test rows of a trial."""
        order = np.random.default_rng([self.seed, trial]).permutation(self.measured_rows())
        if self.held_out is None:
            return order[:size], order[size:]
        return order[self.held_out : self.held_out + size], order[: self.held_out]


@dataclass(frozen=True, slots=True)
class QualityTrial:
    """One fit.

    Attributes:
        model: its name.
        size: number of training rows.
        trial: 0-based.
        measures: by name, as ``measure_model`` returns them; ``None`` for what is not defined.
    """

    model: str
    size: int
    trial: int
    measures: dict[str, float | None]


def measure_quality(
    study: QualityStudy,
    workers: int = 1,
    done: Iterable[QualityTrial] = (),
    on_trial: Callable[[QualityTrial], None] = lambda _: None,
) -> list[QualityTrial]:
    """Fits and tests every model on every size in every trial.

    Args:
        study: what to measure.
        workers: processes at a time; changes nothing but the seconds.
        done: trials of an earlier call with the same study, which are not run again.
        on_trial: is called with every trial that ends.

    Returns:
        All trials, by model, size (in the order of the study) and number.

    Raises:
        JobError: a trial raised; the others are stopped. ``on_trial`` has been called with all that had ended.
        InputError: fewer than 1 worker, or a model that refuses the table.
    """
    from naopt.latent import models

    if workers < 1:
        raise InputError("workers", workers, "must be at least 1")
    found = {(trial.model, trial.size, trial.trial): trial for trial in done}
    jobs = {
        f"model {name}, {size} rows, trial {trial}": (name, size, trial)
        for trial in range(study.trials)
        for size in study.train_sizes
        for name in study.models
        if (name, size, trial) not in found
    }
    kinds = [models.get(name.partition(":")[0]) for name in study.models]
    with closing(run_jobs(measure_model, jobs, workers, (study,), kinds)) as results:
        for key, measures in results:
            one = QualityTrial(*jobs[key], measures={name: _number(value) for name, value in measures.items()})
            found[one.model, one.size, one.trial] = one
            on_trial(one)
    return [
        found[name, size, trial] for name in study.models for size in study.train_sizes for trial in range(study.trials)
    ]


def measure_model(study: QualityStudy, name: str, size: int, trial: int) -> dict[str, float]:
    """Fits and tests one model, in this process.

    Returns:
        By name, NaN where it is not defined: ``kendall_tau``, ``pairwise_accuracy`` and ``spearman``;
        ``precision_at_10`` and ``precision_at_50`` (P@topK) and ``best_rank_at_10`` (N@K) among the test rows;
        ``hamming``, the mean number of tokens per architecture that the decoder gets wrong, ``exact_match`` and
        ``valid``, shares of the test architectures (models without a decoder lack these three); ``fit_seconds`` and
        ``predict_seconds`` (all test rows).
    """
    from naopt.latent import create_model

    table, goal = study.table, study.table.info(study.metric).goal
    scores = table.values(study.metric) if goal == "max" else -table.values(study.metric)
    train, test = study.split(size, trial)
    seed = int(np.random.SeedSequence([study.seed, trial]).generate_state(1)[0])
    model = create_model(name, table.space, seed)
    architectures = study.architectures(train)
    started = time.perf_counter()
    model.fit(architectures, scores[train])
    fitted = time.perf_counter()
    unseen = study.architectures(test)
    predicted = model.predict(unseen)
    seconds = {"fit_seconds": fitted - started, "predict_seconds": time.perf_counter() - fitted}
    return {
        "kendall_tau": kendall_tau(scores[test], predicted),
        "pairwise_accuracy": pairwise_accuracy(scores[test], predicted),
        "spearman": spearman(scores[test], predicted),
        **{f"precision_at_{k}": precision_at_k(scores[test], predicted, k) for k in _TOP},
        f"best_rank_at_{_TOP[0]}": best_rank_at_k(scores[test], predicted, _TOP[0]),
        **_decoder(model, table.space, unseen),
        **seconds,
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


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value
