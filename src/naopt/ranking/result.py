"""What an honest ranking found: figures, and the file that holds them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import TypeAdapter

from naopt.measurement import Goal
from naopt.metrics import (
    Estimate,
    kendall_tau,
    kendall_tau_interval,
    precision_at_k,
    share_beaten,
    spearman,
    wilson_interval,
)
from naopt.metrics.scale import mean, standard_deviation
from naopt.store.result_file import read_result, write_result

if TYPE_CHECKING:
    from numpy.typing import NDArray

RANKING = "ranking.json"
_FEW = 5


@dataclass(frozen=True, slots=True)
class TopOverlap:
    """Of the ``k`` random children that score best with shared weights, the share that is among the ``k`` best.

    ``by_chance`` is what random scores would give on average. Ties as in ``metrics.precision_at_k``.
    """

    k: int
    share: float
    by_chance: float


@dataclass(frozen=True, slots=True)
class RankedChild:
    """An architecture, its metric with shared weights, and its stand-alone metric: the mean over its trainings.

    ``None`` is what could not be measured; ``reason`` says why, also where only some of the trainings failed.
    """

    architecture: str
    shared: float | None
    standalone: float | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class RankingFigures:
    """Figures of a ranking; ``None`` where one is not defined.

    Attributes:
        compared: random children with both metrics, on which the next three rest.
        kendall_tau: tau-b of shared against stand-alone metric, both turned so that larger is better; the interval is
            a percentile bootstrap over children.
        spearman: rank correlation of the same.
        overlap: of the best tenth, and of the best five, where there are more children than that.
        pick: stand-alone metric of the run's pick.
        pick_percentile: percentage of the random children that the pick beats stand-alone, ties half. Wilson's interval
            knows of the finite number of children, but not of the noise of a training.
        top_mean: mean stand-alone metric of the run's best children, the pick among them.
        top_percentile: mean of their percentiles, with Wilson's interval, which is wide for a mean.
        random_best: the best stand-alone metric of the random children.
        random_mean: its mean.
        random_std: its standard deviation (n - 1).
    """

    compared: int
    kendall_tau: Estimate | None
    spearman: float | None
    overlap: tuple[TopOverlap, ...]
    pick: float | None
    pick_percentile: Estimate | None
    top_mean: float | None
    top_percentile: Estimate | None
    random_best: float | None
    random_mean: float | None
    random_std: float | None


@dataclass(frozen=True, slots=True)
class Ranking:
    """How shared weights order children, and what a run's pick is worth among random ones; ``ranking.json``.

    Attributes:
        naopt: version.
        run: the run's directory.
        space: its space.
        searcher: its searcher.
        run_seed: its seed.
        shared_metric: what was measured with shared weights.
        metric: what was measured stand-alone, with ``goal`` and ``unit``.
        table: where the stand-alone metric was looked up; empty if the children were trained.
        seed: by which random children were drawn, and all were trained.
        repeats: trainings of each child.
        figures: what follows from the children.
        random: the random children.
        top: the run's best children, the pick first.
        trainings: how many trainings the figures rest on, those of earlier rankings included.
        failed: how many of them did not end well.
        seconds: of all of them together, as if one ran after the other.
        cpu_seconds: the same of the processor.
        shared_seconds: of measuring all children with shared weights.
    """

    naopt: str
    run: str
    space: str
    searcher: str
    run_seed: int
    shared_metric: str
    metric: str
    goal: Goal
    unit: str
    table: str
    seed: int
    repeats: int
    figures: RankingFigures
    random: tuple[RankedChild, ...]
    top: tuple[RankedChild, ...]
    trainings: int
    failed: int
    seconds: float
    cpu_seconds: float
    shared_seconds: float

    def document(self) -> dict[str, Any]:
        """The same in JSON values."""
        return asdict(self)

    def write(self, directory: Path) -> None:
        """Writes ``ranking.json``, whole or not at all. Raises ``NotWrittenError`` if that cannot be done."""
        write_result(directory / RANKING, self.document())


_ADAPTER = TypeAdapter(Ranking)


def read_ranking(directory: Path) -> Ranking | None:
    """The ranking of a run's directory; ``None`` if it has none. Raises ``InputError`` if the file is damaged."""
    return read_result(directory / RANKING, _ADAPTER, "ranking", "naopt ranking")


def ranking_figures(
    random: Sequence[RankedChild], top: Sequence[RankedChild], shared_goal: Goal, goal: Goal
) -> RankingFigures:
    """Figures of children.

    Args:
        random: uniform random children.
        top: the run's best, the pick first; at least one.
        shared_goal: direction of the shared metric.
        goal: direction of the stand-alone metric.
    """
    sign = 1.0 if goal == "max" else -1.0
    both = [(c.shared, c.standalone) for c in random if c.shared is not None and c.standalone is not None]
    shared = np.array([pair[0] for pair in both]) * (1.0 if shared_goal == "max" else -1.0)
    measured = np.array([pair[1] for pair in both]) * sign
    scores = np.array([sign * c.standalone for c in random if c.standalone is not None])
    best = [sign * c.standalone for c in top if c.standalone is not None]
    pick = top[0].standalone
    tau = kendall_tau(measured, shared)
    return RankingFigures(
        compared=len(both),
        kendall_tau=None if math.isnan(tau) else Estimate(tau, kendall_tau_interval(measured, shared)),
        spearman=_known(spearman(measured, shared)),
        overlap=_overlaps(measured, shared),
        pick=pick,
        pick_percentile=None if pick is None else _percentile([sign * pick], scores),
        top_mean=sign * mean(best) if best else None,
        top_percentile=_percentile(best, scores),
        random_best=sign * float(scores.max()) if len(scores) else None,
        random_mean=sign * mean(scores) if len(scores) else None,
        random_std=standard_deviation(scores, ddof=1) if len(scores) > 1 else None,
    )


def _overlaps(measured: NDArray[np.float64], shared: NDArray[np.float64]) -> tuple[TopOverlap, ...]:
    count = len(measured)
    sizes = sorted({max(1, round(count / 10)), _FEW})
    # A constant prediction gets the mean over all choices of k.
    return tuple(
        TopOverlap(k, precision_at_k(measured, shared, k), precision_at_k(measured, np.zeros(count), k))
        for k in sizes
        if k < count
    )


def _percentile(values: Sequence[float], scores: NDArray[np.float64]) -> Estimate | None:
    if not values or not len(scores):
        return None
    share = float(np.mean([share_beaten(value, scores) for value in values]))
    low, high = wilson_interval(share, len(scores))
    return Estimate(100 * share, (100 * low, 100 * high))


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value
