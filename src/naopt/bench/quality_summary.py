"""Trials of a quality study in figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from naopt.bench.parts import surrogates_of
from naopt.bench.quality import QualityStudy, QualityTrial
from naopt.errors import UnknownNameError
from naopt.metrics import noise_ceiling, paired_summary, summarise

_BASELINE = "boosted-trees"
SMALLER_IS_BETTER = ("hamming", "best_rank_at_10", "fit_seconds", "predict_seconds")


def summarise_quality(
    study: QualityStudy, trials: Sequence[QualityTrial], against: str | None = None
) -> dict[str, Any]:
    """The document of ``naopt quality --json``.

    ``models`` -> name -> training size -> measure -> ``mean``, ``ci95`` and ``trials``, ``None`` for what is not
    defined in every trial. ``paired`` -> name -> training size -> measure: differences to the model ``against``
    (``boosted-trees`` if left out, where it took part), trial by trial, on the same rows. ``ceiling`` is what the
    repeats of the table leave to reach (``NoiseCeiling``), ``None`` if there are none.

    Raises:
        UnknownNameError: ``against`` is not among the models.
    """
    if against is not None and against not in study.models:
        raise UnknownNameError("--against, model", against, study.models)
    against = against or (_BASELINE if _BASELINE in study.models else None)
    ceiling = noise_ceiling(study.table.metrics[study.metric])
    found = {
        name: {
            str(size): [t.measures for t in trials if (t.model, t.size) == (name, size)] for size in study.train_sizes
        }
        for name in study.models
    }
    return {
        "table": study.table.name,
        "surrogate": surrogates_of(study.table, [study.metric]),
        "metric": study.metric,
        "rows": len(study.measured_rows()),
        "positions": len(study.table.space.positions),
        "held_out": study.held_out,
        "trials": study.trials,
        "seed": study.seed,
        "ceiling": ceiling and asdict(ceiling),
        "models": {name: {size: _collect(own) for size, own in sizes.items()} for name, sizes in found.items()},
        "against": against,
        "paired": {
            name: {size: _differences(own, found[against][size]) for size, own in sizes.items()}
            for name, sizes in found.items()
            if against is not None and name != against
        },
    }


def _collect(trials: Sequence[dict[str, float | None]]) -> dict[str, dict[str, Any]]:
    measures: dict[str, dict[str, Any]] = {}
    for measure in trials[0]:
        values = [trial[measure] for trial in trials]
        known = [value for value in values if value is not None]
        summary = summarise(known) if len(known) == len(values) else None
        measures[measure] = {
            "mean": summary and summary.mean,
            "ci95": summary and list(summary.ci95),
            "trials": values,
        }
    return measures


def _differences(
    trials: Sequence[dict[str, float | None]], baseline: Sequence[dict[str, float | None]]
) -> dict[str, dict[str, Any]]:
    """Measures that both have in every trial."""
    measures: dict[str, dict[str, Any]] = {}
    for measure in trials[0]:
        mine, theirs = [t[measure] for t in trials], [t.get(measure) for t in baseline]
        if None in mine or None in theirs:
            continue
        pair = paired_summary(mine, theirs)  # type: ignore[arg-type]
        counts = (pair.larger, pair.equal, pair.smaller)
        better, equal, worse = counts[::-1] if measure in SMALLER_IS_BETTER else counts
        measures[measure] = {
            "mean_difference": pair.difference.mean,
            "ci95": list(pair.difference.ci95),
            "better": better,
            "equal": equal,
            "worse": worse,
            "p_wilcoxon": pair.p_wilcoxon,
            "p_sign": pair.p_sign,
        }
    return measures
