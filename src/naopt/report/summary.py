"""What a report says of a run beyond its record, as plain values: origins, rounds, cost."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from naopt.measurement import is_error
from naopt.metrics.scale import exponent, scaled, unscaled

if TYPE_CHECKING:
    from naopt.execution.trial import Trial
    from naopt.run.record import RunRecord
    from naopt.spaces import Architecture


_SMALLEST_DRAWN, _LARGEST_DRAWN = 1e-290, 1e300
_SEARCHER_SECONDS = ("fit_seconds", "ascent_seconds")


@dataclass(frozen=True, slots=True)
class OriginStatistics:
    """What the queries of one origin earned.

    ``mean`` and ``best`` are of the objective's metric, ``None`` if nothing was measured; ``improvements`` counts how
    often a query of this origin was better than all before it (the first measured query counts).
    """

    origin: str
    queries: int
    measured: int
    mean: float | None
    best: float | None
    improvements: int


@dataclass(frozen=True, slots=True)
class RoundSummary:
    """One round: its trials against what the searcher expected of them, and the searcher's own log.

    ``architectures`` counts all that were measured up to the end of the round. Origins, means and the standard
    deviation (of the objective's metric, ``None`` where nothing is known) are of the trials that were predicted, so
    that the two means are of the same architectures; of all trials in a round without predictions.
    """

    round: int
    origins: tuple[str, ...]
    architectures: int
    measured_mean: float | None
    measured_std: float | None
    predicted_mean: float | None
    log: dict[str, Any]

    def number(self, name: str) -> float | None:
        """A number of the log; ``None`` if it is missing or not a finite number."""
        return finite(self.log.get(name))


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds: of all children together, of one (mean, median), and of the searcher.

    ``searcher`` counts the fits and ascents that its log speaks of; ``wall`` is the time of the whole search, waiting
    and overhead included.
    """

    children: float
    mean: float | None
    median: float | None
    searcher: float
    wall: float


def finite(value: object) -> float | None:
    """The value if it is a finite number (booleans are none), else ``None``."""
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < float("inf"):
        return float(value)
    return None


def drawable(value: float) -> float:
    """The value as figures show it: those beyond 1e300 lie there, and those within 1e-290 of zero at zero.

    With ranges of other sizes matplotlib does not find an axis.
    """
    return 0.0 if abs(value) < _SMALLEST_DRAWN else min(_LARGEST_DRAWN, max(-_LARGEST_DRAWN, value))


def value_of(record: RunRecord, trial: Trial) -> float | None:
    """The objective's metric of a trial whose evaluation ended well, in the metric's own unit."""
    if trial.measurement is None or not trial.measurement.ok:
        return None
    return trial.measurement.metrics.get(record.objective.metric)


def origin_statistics(record: RunRecord) -> list[OriginStatistics]:
    """Per origin, in order of first appearance."""
    values: dict[str, list[float]] = {}
    queries: dict[str, int] = {}
    improvements: dict[str, int] = {}
    before: float | None = None
    for trial, best in zip(record.evaluated, record.trajectory(), strict=True):
        queries[trial.origin] = queries.get(trial.origin, 0) + 1
        improvements[trial.origin] = improvements.get(trial.origin, 0) + (best != before)
        before = best
        value = value_of(record, trial)
        values.setdefault(trial.origin, []).extend([] if value is None else [value])
    pick = max if record.objective.goal == "max" else min
    return [
        OriginStatistics(
            origin, count, len(values[origin]), _mean(values[origin]), pick(values[origin], default=None),
            improvements[origin],
        )
        for origin, count in queries.items()
    ]  # fmt: skip


def round_summaries(record: RunRecord) -> list[RoundSummary]:
    """Every round, in order; ``record.rounds`` holds a log for each, empty ones included."""
    trials: dict[int, list[Trial]] = {}
    for trial in record.evaluated:
        trials.setdefault(trial.round, []).append(trial)
    summaries, count = [], 0
    for number, log in enumerate(record.rounds):
        members = trials.get(number, [])
        count += len(members)
        expected = {trial.index: value for trial in members if (value := finite(trial.predicted)) is not None}
        compared = [trial for trial in members if trial.index in expected] or members
        values = [value for trial in compared if (value := value_of(record, trial)) is not None]
        summaries.append(
            RoundSummary(
                number,
                tuple(dict.fromkeys(trial.origin for trial in compared)),
                count,
                _mean(values),
                _spread(values),
                _mean(list(expected.values())) if expected else finite(log.get("predicted_mean")),
                log,
            )
        )
    return summaries


def cost(record: RunRecord) -> Cost:
    """Where the time went."""
    seconds = [trial.measurement.seconds for trial in record.evaluated if trial.measurement is not None]
    return Cost(
        sum(seconds),
        _mean(seconds),
        statistics.median(seconds) if seconds else None,
        sum(finite(log.get(name)) or 0.0 for log in record.rounds for name in _SEARCHER_SECONDS),
        record.seconds,
    )


def metric_names(record: RunRecord) -> list[str]:
    """Every metric that was measured, the objective's first, without standard errors."""
    names = {name: None for trial in record.evaluated if trial.measurement for name in trial.measurement.metrics}
    others = (name for name in names if name != record.objective.metric and not is_error(name, names))
    return [record.objective.metric, *others]


def parent_index(trials: Iterable[Trial]) -> dict[int, int]:
    """Trial index to the index of the trial whose architecture it came from, where that is known.

    That trial was before it. Where a searcher knew an architecture from elsewhere (from history, or as a path of shared
    weights) and measured it later, its trial is not where others had come from.
    """
    first: dict[Architecture, int] = {}
    found = {}
    for trial in sorted(trials, key=lambda trial: trial.index):
        if trial.parent is not None and trial.parent in first:
            found[trial.index] = first[trial.parent]
        first.setdefault(trial.architecture, trial.index)
    return found


def _mean(values: Sequence[float]) -> float | None:
    """Like ``_spread``, of numbers as large as floats are."""
    unit = exponent(values)
    return float(unscaled(statistics.fmean(scaled(values, unit).tolist()), unit)) if values else None


def _spread(values: Sequence[float]) -> float | None:
    unit = exponent(values)
    return float(unscaled(statistics.pstdev(scaled(values, unit).tolist()), unit)) if values else None
