"""What training finalists has shown: cheap measurement against dear one, and what it cost."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from naopt.metrics import kendall_tau, kendall_tau_interval
from naopt.problem import Objective

if TYPE_CHECKING:
    from naopt.run.record import RunRecord

_FEW = 5
"""Finalists from which an interval of their rank correlation is given."""


@dataclass(frozen=True, slots=True)
class Finalist:
    """One finalist.

    Attributes:
        index: of the trial.
        architecture: its text form.
        search: what the search measured of it, its first objective.
        trained: what its longer training gave; ``None`` if that failed, and ``reason`` says why.
        error: standard error of that, if it was stated.
        params: number of parameters of the network that was trained longer, if that is known.
        seconds: that the longer training took.
    """

    index: int
    architecture: str
    search: float
    trained: float | None
    error: float | None
    reason: str
    params: float | None
    seconds: float


@dataclass(frozen=True, slots=True)
class FinalistFigures:
    """All finalists of a search.

    Attributes:
        search_metric: what the search compared by, with its ``search_goal``.
        metric: what finalists are compared by, with its ``goal``.
        preset: that they were trained with; empty for none.
        epochs: that they were trained for; ``None`` if the run is of a naopt that did not note it.
        wanted: how many there are to be.
        rows: those that were trained, the best first, failed ones last.
        kendall_tau: tau-b of the two measurements, both turned so that larger is better; ``None`` where either has one
            value. It is that of leaders: what was left out is not in it.
        ci95: its interval, by the bootstrap over finalists; from five on.
        seconds: of all their trainings, as if one ran after the other.
        search_seconds: likewise of all evaluations of the search.
    """

    search_metric: str
    search_goal: str
    metric: str
    goal: str
    preset: str
    epochs: int | None
    wanted: int
    rows: tuple[Finalist, ...]
    kendall_tau: float | None
    ci95: tuple[float, float] | None
    seconds: float
    search_seconds: float

    def document(self) -> dict[str, Any]:
        """The same in JSON values."""
        return asdict(self)

    @property
    def sentence(self) -> str:
        """The rank correlation in words, and what the finalists cost."""
        said = "too few differ for a Kendall tau"
        if self.kendall_tau is not None:
            spread = "" if self.ci95 is None else f", 95 % interval {self.ci95[0]:.2f} to {self.ci95[1]:.2f},"
            said = f"Kendall tau {self.kendall_tau:.2f}{spread}"
        part = f", {self.seconds / self.search_seconds:.0%} of the search's evaluations" if self.search_seconds else ""
        return f"{said} between search and finalists; {self.seconds:.1f} s of training{part}"


def finalist_figures(record: RunRecord) -> FinalistFigures | None:
    """What is known of a search's finalists; ``None`` if none is trained yet, or there are to be none."""
    if not record.finalists:
        return None
    own, dear = record.objective, record.standalone
    rows = []
    for trial in record.ranked():
        found = record.finalists.get(trial.index)
        if found is None or trial.measurement is None:
            continue
        gave = found.metrics.get(dear.metric) if found.ok else None
        rows.append(
            Finalist(
                trial.index,
                trial.text,
                trial.measurement.metrics[own.metric],
                gave,
                found.error(dear.metric) if found.ok else None,
                found.reason,
                found.metrics.get("params"),
                found.seconds,
            )
        )
    rows.sort(key=lambda row: row.trained is None)
    tau, interval = _agreement(rows, own, dear)
    settings = record.meta.get("finalist_settings", {})
    return FinalistFigures(
        search_metric=own.metric,
        search_goal=own.goal,
        metric=dear.metric,
        goal=dear.goal,
        preset=record.config.finalist_preset,
        epochs=settings.get("epochs"),
        wanted=len(record.wanted_finalists),
        rows=tuple(rows),
        kendall_tau=tau,
        ci95=interval,
        seconds=sum(row.seconds for row in rows),
        search_seconds=sum(t.measurement.seconds for t in record.evaluated if t.measurement is not None),
    )


def _agreement(
    rows: list[Finalist], own: Objective, dear: Objective
) -> tuple[float | None, tuple[float, float] | None]:
    both = [(dear.sign * row.trained, own.sign * row.search) for row in rows if row.trained is not None]
    if len(both) < 2:
        return None, None
    trained, searched = zip(*both, strict=True)
    tau = kendall_tau(trained, searched)
    if math.isnan(tau):
        return None, None
    return tau, kendall_tau_interval(trained, searched) if len(both) >= _FEW else None
