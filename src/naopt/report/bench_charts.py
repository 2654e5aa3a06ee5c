"""Charts of a comparison of searchers."""

from __future__ import annotations

from naopt.report.bench_elements import Document, table_name
from naopt.report.curves import Curve, curves_chart

_REFERENCE = "random"


def regret_chart(document: Document, which: str, *, alone: bool = False) -> str | None:
    """Mean simple regret over queries, with its interval; ``None`` if nothing was measured.

    Args:
        document: of the comparison.
        which: ``report_regret`` or ``search_regret``.
        alone: with a title, for use outside the page.
    """
    metric = document["report_metric" if which == "report_regret" else "metric"]
    unit = f" ({document['unit']})" if document["unit"] and which == "report_regret" else ""
    curves = {
        name: Curve(document["checkpoints"], found[which]["mean"], found[which]["ci95"])
        for name, found in document["searchers"].items()
    }
    return curves_chart(
        f"{which}-alone" if alone else which,
        f"Mean regret of {metric} over queries",
        curves,
        x_label="queries",
        y_label=f"mean regret, {metric}{unit}",
        log_y=True,
        title=f"{table_name(document)}, {document['trials']} trials" if alone else "",
        reference=_REFERENCE,
    )


def found_chart(document: Document) -> str | None:
    """Share of the trials that have found the optimum, over queries; ``None`` if none has."""
    budget, trials = document["budget"], document["trials"]
    hits = {name: found["queries_to_optimum"] for name, found in document["searchers"].items()}
    if not any(hit is not None for own in hits.values() for hit in own):
        return None
    queries = range(budget + 1)
    curves = {
        name: Curve(queries, [100 * sum(hit is not None and hit <= q for hit in own) / trials for q in queries])
        for name, own in hits.items()
    }
    return curves_chart(
        "found",
        "Share of trials that have found the optimum, over queries",
        curves,
        x_label="queries",
        y_label="trials that have found the optimum (%)",
        step=True,
        bounds=(-2.0, 102.0),
        reference=_REFERENCE,
    )
