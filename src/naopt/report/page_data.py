"""What the report of a run shows, as JSON values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from naopt.report.summary import finite, origin_statistics, parent_index, round_summaries

if TYPE_CHECKING:
    from naopt.run.record import RunRecord


def report_data(record: RunRecord, against: RunRecord | None = None) -> dict[str, Any]:
    """The page's data block: what its figures and tables show, as JSON values."""
    parents = parent_index(record.trials)
    best = record.best()
    return {
        "space": record.space.name,
        "searcher": record.config.searcher,
        "metric": record.objective.metric,
        "goal": record.objective.goal,
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
