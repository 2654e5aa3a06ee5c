"""The best architecture of a search, as the report shows it."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING

from naopt.measurement import error_name
from naopt.report.elements import code, number, rows_table, section
from naopt.report.summary import finite, metric_names, parent_index
from naopt.run.workloads import network_sizes
from naopt.spaces.drawing import draw_graph

if TYPE_CHECKING:
    from naopt.run.record import RunRecord

_ORIGINS = {
    "random": "drawn from the random pool",
    "ascent": "found by moving uphill in the learned space",
    "refill": "a refill: the searcher had found too few new architectures",
    "neighbour": "one change away from another architecture",
    "mutation": "a mutation of another architecture",
}


def best_section(record: RunRecord) -> str:
    """Its drawing, text, origin and metrics, and whether others may be as good."""
    best = record.best()
    if best is None or best.measurement is None:
        return section("Best architecture", '<p class="warn">No evaluation has ended well yet.</p>')
    parent = parent_index(record.trials).get(best.index)
    came = escape(_ORIGINS.get(best.origin, best.origin))
    if parent is not None:
        came += f', from <a href="#a{parent}">architecture {parent}</a>'
    expected = finite(best.predicted)
    metrics = best.measurement.metrics
    rows = [(name, number(metrics.get(name)) + error_of(metrics, name)) for name in metric_names(record)]
    rows += [("predicted " + record.objective.metric, number(expected))] if expected is not None else []
    rows += [("seconds", number(best.measurement.seconds))]
    if (sizes := network_sizes(record)) is not None:
        rows += [("parameters in the search", number(sizes.search))]
        rows += [(f"parameters in final training ({sizes.preset})", number(sizes.final))]
    return section(
        "Best architecture",
        f'<div class="cell">{draw_graph(record.space.graph(best.architecture), styled=False)}</div>'
        + code(best.text)
        + f'<p class="note">Query {best.index}, round {best.round}: {came}.</p>'
        + _level(record)
        + rows_table(("measured", "value"), rows, numeric=(1,)),
    )


def error_of(metrics: Mapping[str, float], name: str) -> str:
    """``±`` and the standard error of a metric; nothing where none was stated."""
    error = metrics.get(error_name(name))
    return "" if error is None else f" ± {error:.2g}"


def _level(record: RunRecord) -> str:
    level = record.leaders.level
    if not level:
        return ""
    others = "One other" if level == 1 else f"{level} others"
    return (
        '<p class="note">Measurements have errors; it is the best by what all of them together let one expect. '
        f"{others} may be as good.</p>"
    )
