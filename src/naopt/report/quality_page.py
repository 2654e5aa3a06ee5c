"""What a quality study found: one HTML page, and all of it as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from naopt.metrics import interval_method
from naopt.report.bench_elements import (
    Document,
    decimals_of,
    facts,
    figures,
    interval,
    page,
    surrogate_warning,
    table_name,
    write_files,
)
from naopt.report.curves import Curve, curves_chart
from naopt.report.elements import number, rows_table, section

_MEASURES = {
    "kendall_tau": ("Kendall tau", "Rank correlation of prediction and measurement; higher is better."),
    "pairwise_accuracy": ("Pairwise accuracy", "Share of pairs in the right order."),
    "spearman": ("Spearman", "Rank correlation; higher is better."),
    "precision_at_10": ("Precision at 10", "Share of the 10 predicted best that are among the 10 best."),
    "precision_at_50": ("Precision at 50", "Share of the 50 predicted best that are among the 50 best."),
    "best_rank_at_10": ("Best rank at 10", "True rank of the best among the 10 predicted best; 1 is the best."),
    "hamming": ("Hamming distance", "Tokens per architecture that the decoder gets wrong."),
    "exact_match": ("Exact match", "Share of architectures that are decoded exactly."),
    "valid": ("Valid", "Share of architectures that are decoded to something valid."),
    "fit_seconds": ("Fit", "Seconds of one fit."),
    "predict_seconds": ("Prediction", "Seconds for all test architectures."),
}
_LOGARITHMIC = ("best_rank_at_10", "fit_seconds", "predict_seconds")
_GROUPS = (
    ("kendall_tau", "pairwise_accuracy", "spearman"),
    ("precision_at_10", "precision_at_50", "best_rank_at_10"),
    ("hamming", "exact_match", "valid"),
    ("fit_seconds", "predict_seconds"),
)
_PAIRED = ("kendall_tau", "precision_at_50", "best_rank_at_10", "exact_match")


def write_quality(document: Document, folder: Path) -> None:
    """Writes ``quality.json`` and ``report.html``; replaces older ones.

    Args:
        document: what ``naopt quality --json`` says.
        folder: is there.

    Raises:
        NotWrittenError: a file cannot be written.
    """
    from naopt.values import plain

    text = json.dumps(plain(document), indent=1, allow_nan=False) + "\n"
    write_files(folder, {"quality.json": text, "report.html": render_quality(document)})


def render_quality(document: Document) -> str:
    """The page as HTML text."""
    shown = [m for m in _MEASURES if any(_known(sizes, m) for sizes in document["models"].values())]
    sections = [_header(document), _table(document, shown), _paired(document), _curves(document, shown)]
    return page(f"naopt quality · {table_name(document)}", sections, document)


def quality_curves(document: Document, measure: str) -> str | None:
    """A measure over training sizes, with its interval; ``None`` if no model has it."""
    curves = {}
    for name, sizes in document["models"].items():
        found = [sizes[size].get(measure) or {"mean": None, "ci95": None} for size in sizes]
        curves[name] = Curve([int(size) for size in sizes], [f["mean"] for f in found], [f["ci95"] for f in found])
    title, _ = _MEASURES[measure]
    return curves_chart(
        measure.replace("_", "-"),
        f"{title} over training architectures",
        curves,
        x_label="architectures trained on",
        y_label=title,
        log_x=True,
        log_y=measure in _LOGARITHMIC,
        reference=document["against"],
    )


def _known(sizes: Mapping[str, Any], measure: str) -> bool:
    return any(found.get(measure, {}).get("mean") is not None for found in sizes.values())


def _header(document: Document) -> str:
    test = "all others" if document["held_out"] is None else f"{document['held_out']:,}"
    ceiling = document["ceiling"]
    boxes = [
        ("trials", f"{document['trials']:,}"),
        ("rows with the metric", f"{document['rows']:,}"),
        ("test rows", test),
        ("seed", str(document["seed"])),
    ]
    if ceiling is not None:
        boxes.append(("pairwise accuracy of a perfect predictor", number(ceiling["perfect_against_mean"])))
    return (
        f"<header><h1>Models of {escape(table_name(document))}</h1>"
        f"<p>predicting {escape(document['metric'])} of architectures that they were not fitted on</p>"
        f"{surrogate_warning(document)}{facts(boxes)}</header>"
    )


def _table(document: Document, shown: Sequence[str]) -> str:
    tables = []
    for group in _GROUPS:
        measures = [measure for measure in group if measure in shown]
        rows = [
            (name, size, *(_cell(found.get(measure)) for measure in measures))
            for name, sizes in document["models"].items()
            for size, found in sizes.items()
        ]
        columns = ("model", "trained on", *(_MEASURES[measure][0] for measure in measures))
        tables += [rows_table(columns, rows, numeric=range(1, len(columns)))] if measures else []
    method = interval_method(document["trials"])
    note = f"Mean over {document['trials']} trials and its 95 % interval ({method})."
    return section("Measures", "<br>".join(tables) + f'<p class="note">{note}</p>')


def _cell(measure: Mapping[str, Any] | None) -> str:
    if measure is None or measure["mean"] is None:
        return number(None)
    low, high = measure["ci95"]
    return f"{measure['mean']:.3g} [{low:.3g}, {high:.3g}]"


def _paired(document: Document) -> str:
    rows = [
        (
            name,
            size,
            _MEASURES[measure][0],
            interval(pair["mean_difference"], pair["ci95"], decimals_of([pair["ci95"]]), sign=True),
            *(number(pair[key]) for key in ("better", "equal", "worse")),
            f"{pair['p_wilcoxon']:.2g}",
        )
        for name, sizes in document["paired"].items()
        for size, measures in sizes.items()
        for measure in _PAIRED
        if (pair := measures.get(measure)) is not None
    ]
    if not rows:
        return ""
    against = document["against"]
    columns = ("model", "trained on", "measure", f"difference to {against}", "better", "equal", "worse", "p, Wilcoxon")
    note = "Trial by trial, on the same rows. A lower rank is better; for all else higher is."
    return section(
        f"Difference to {against}",
        rows_table(columns, rows, numeric=(1, 3, 4, 5, 6, 7)) + f'<p class="note">{note}</p>',
    )


def _curves(document: Document, shown: Sequence[str]) -> str:
    body = figures([(quality_curves(document, measure), *_MEASURES[measure]) for measure in shown])
    return section("Over training architectures", f'<div class="figures">{body}</div>') if body else ""
