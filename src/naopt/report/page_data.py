"""What the report of a run shows, as JSON values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from naopt.report.summary import finite, origin_statistics, parent_index, round_summaries
from naopt.run.finalist_figures import finalist_figures

if TYPE_CHECKING:
    from naopt.run.record import RunRecord


def report_data(record: RunRecord, against: RunRecord | None = None) -> dict[str, Any]:
    """The page's data block: what its figures and tables show, as JSON values."""
    parents = parent_index(record.trials)
    best, finalists = record.best(), finalist_figures(record)
    return {
        "space": record.space.name,
        "searcher": record.config.searcher,
        "metric": record.objective.metric,
        "goal": record.objective.goal,
        **wanted(record),
        **({} if finalists is None else {"finalists": finalists.document()}),
        "budget": record.config.budget,
        "finished": record.finished,
        "remarks": list(record.remarks),
        "best": None if best is None else best.index,
        "trajectory": record.trajectory(),
        "against": None if against is None else against.trajectory(),
        "origins": [
            {
                "origin": o.origin,
                "queries": o.queries,
                "measured": o.measured,
                "mean": o.mean,
                "best": o.best,
                "improvements": o.improvements,
            }
            for o in origin_statistics(record)
        ],
        "rounds": [
            {
                **r.log,
                "round": r.round,
                "architectures": r.architectures,
                "measured_mean": r.measured_mean,
                "predicted_mean": r.predicted_mean,
            }
            for r in round_summaries(record)
        ],
        "trials": [
            {
                "index": t.index,
                "round": t.round,
                "text": t.text,
                "origin": t.origin,
                "parent": parents.get(t.index),
                "predicted": finite(t.predicted),
                "status": t.measurement.status,
                "reason": t.measurement.reason,
                "metrics": dict(t.measurement.metrics),
                "seconds": t.measurement.seconds,
            }
            for t in record.trials
            if t.measurement is not None
        ],
    }


def wanted(record: RunRecord) -> dict[str, Any]:
    """Objectives and limits, and what of the trials is the front; nothing for one objective without limits."""
    if record.problem.ordinary:
        return {}
    knee = record.knee()
    return {
        "objectives": [{"metric": one.metric, "goal": one.goal} for one in record.problem.objectives],
        "limits": list(map(str, record.problem.limits)),
        "front": [trial.index for trial in record.front()],
        "knee": None if knee is None else knee.index,
    }
