"""What notebooks show of results."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from naopt.api.trials import ResultTrial

BEST = 5
"""How many evaluations of a search are shown."""
_LETTERS = 120


def result_html(headline: str, best: Sequence[ResultTrial], drawing: str, metric: str) -> str:
    """A table of the best evaluations, and the drawing of the first; all text is escaped."""
    parts = [f"<p>{escape(headline)}</p>"]
    if best:
        rows = [(str(t.index), f"{t.value:.6g}", t.origin, _cut(t.text)) for t in best if t.value is not None]
        parts += [
            _table(("evaluation", metric, "origin", "architecture"), rows),
            f'<div style="overflow-x:auto">{drawing}</div>',
        ]
    return f"<div>{''.join(parts)}</div>"


def comparison_html(document: Mapping[str, Any], columns: Sequence[int]) -> str:
    """Mean and 95 % interval of each searcher at some checkpoints."""
    points = document["checkpoints"]
    if "objectives" in document:
        shares = {name: found["hypervolume_share"] for name, found in document["searchers"].items()}
        cells = [(n, *(_interval(one["mean"][at], one["ci95"][at]) for at in columns)) for n, one in shares.items()]
        about = f"{document['table']}: share of the front's hypervolume, of {document['metric']}"
        return _means(about, document["trials"], ("searcher", *(f"{points[at]} queries" for at in columns)), cells)
    rows = []
    for name, found in document["searchers"].items():
        means = [_interval(found["mean_report_metric"][at], found["ci95"][at]) for at in columns]
        rows.append((name, *means, f"{found['optimum_found']}/{document['trials']}"))
    about = f"{document['table']}: {document['report_metric']} of what {document['metric']} selects"
    head = ("searcher", *(f"{points[at]} queries" for at in columns), "optimum found")
    return _means(about, document["trials"], head, rows)


def _means(about: str, trials: int, head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return f"<div><p>{escape(about)}, mean [95 % interval] over {trials} trials</p>{_table(head, rows)}</div>"


def _interval(mean: float | None, interval: Sequence[float] | None) -> str:
    return "-" if mean is None or interval is None else f"{mean:.4g} [{interval[0]:.4g}, {interval[1]:.4g}]"


def _cut(text: str) -> str:
    return text if len(text) <= _LETTERS else f"{text[:_LETTERS]}..."


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in columns)
    body = "".join("<tr>" + "".join(f"<td>{escape(text)}</td>" for text in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
