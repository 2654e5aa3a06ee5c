"""The report's section on how shared weights rank children."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from naopt.report.charts import INK, MAIN, SECOND, svg
from naopt.report.elements import duration, json_block, number, rows_table, section
from naopt.report.summary import drawable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from matplotlib.axes import Axes

    from naopt.metrics import Estimate
    from naopt.ranking.result import RankedChild, Ranking

_SOME, _WELL = 0.3, 0.6
"""Kendall's tau from which shared weights are said to order children to some degree, and well."""


def ranking_section(ranking: Ranking) -> str:
    """Chart, figures and what they mean, as HTML."""
    chart = ranking_chart(ranking)
    figure = "" if chart is None else f"<figure>{chart}<figcaption>{escape(_caption(ranking))}</figcaption></figure>"
    left_out = [(child.architecture, child.reason) for child in _children(ranking) if child.reason]
    return section(
        "Shared weights against training",
        f'<p>{escape(ranking_sentence(ranking))}</p><div class="figures">{figure}</div>'
        + rows_table(("what", "value", "95 % interval"), ranking_rows(ranking), numeric=(1, 2))
        + (rows_table(("what failed", "reason"), left_out, wide=(0, 1)) if left_out else "")
        + json_block("ranking", ranking.document()),
    )


def ranking_sentence(ranking: Ranking) -> str:
    """What the figures mean, in plain words."""
    return f"{_order(ranking.figures.kendall_tau)} {_pick(ranking)}"


def _order(tau: Estimate | None) -> str:
    if tau is None:
        return "There is no telling how shared weights order children: too few differ."
    said = f"(Kendall tau {tau.value:.2f})"
    if tau.ci95[0] <= 0 <= tau.ci95[1]:
        return f"The shared weights order children no better than chance, as far as so few can tell {said}."
    if tau.value < 0:
        return f"The shared weights order children worse than chance {said}."
    if tau.value < _SOME:
        return f"The shared weights order children hardly better than chance {said}."
    return f"The shared weights order children {'well' if tau.value >= _WELL else 'to some degree'} {said}."


def _pick(ranking: Ranking) -> str:
    found = ranking.figures.pick_percentile
    if found is None:
        return "The pick has no stand-alone figure."
    said = f"The pick beats {found.value:.0f} % of the random children"
    low, high = found.ci95
    if low > 50:
        return f"{said}: it is better than a random one."
    return f"{said}: it is worse than a random one." if high < 50 else f"{said}: it may as well be a random one."


def ranking_rows(ranking: Ranking) -> list[tuple[str, str, str]]:
    """Figure, value and interval, as text."""
    f, count = ranking.figures, len(ranking.top)
    metric = ranking.metric + (f", {ranking.unit}" if ranking.unit else "")
    rows = [
        ("Kendall tau", *_estimate(f.kendall_tau)),
        ("Spearman", number(None) if f.spearman is None else f"{f.spearman:.2f}", ""),
    ]
    rows += [(f"overlap of the top {o.k} (by chance {o.by_chance:.2f})", f"{o.share:.2f}", "") for o in f.overlap]
    rows += [
        (f"pick: {metric}", number(f.pick), ""),
        ("pick: percentile", *_estimate(f.pick_percentile, 1)),
        (f"mean of the run's top {count}: {metric}", number(f.top_mean), ""),
        (f"mean of the run's top {count}: percentile", *_estimate(f.top_percentile, 1)),
        ("random children: best", number(f.random_best), ""),
        ("random children: mean", number(f.random_mean), ""),
        ("random children: standard deviation", number(f.random_std), ""),
    ]
    if ranking.table:
        failed = sum(child.standalone is None for child in _children(ranking))
        return [*rows, ("looked up", ranking.table, ""), ("children without a figure", f"{failed:,}", "")]
    return [
        *rows,
        ("trainings", f"{ranking.trainings:,}", ""),
        ("trainings that failed", f"{ranking.failed:,}", ""),
        ("time of all trainings", duration(ranking.seconds), ""),
        ("processor time of all trainings", duration(ranking.cpu_seconds), ""),
    ]


def _estimate(found: Estimate | None, digits: int = 2) -> tuple[str, str]:
    if found is None:
        return number(None), ""
    return f"{found.value:.{digits}f}", f"{found.ci95[0]:.{digits}f} to {found.ci95[1]:.{digits}f}"


def ranking_chart(ranking: Ranking) -> str | None:
    """Stand-alone over shared metric, a dot a child; ``None`` if no child has both."""
    groups = [
        (_points(ranking.random), INK, "o", 20, "random"),
        (_points(ranking.top[1:]), SECOND, "s", 26, "top of the run"),
        (_points(ranking.top[:1]), MAIN, "*", 130, "pick"),
    ]
    if not any(points for points, *_ in groups):
        return None

    def draw(axes: Axes) -> None:
        for points, colour, marker, size, label in groups:
            if points:
                x, y = ([*map(drawable, values)] for values in zip(*points, strict=True))
                axes.scatter(x, y, s=size, alpha=0.8, linewidths=0, color=colour, marker=marker, label=label)
        axes.set(xlabel=ranking.shared_metric, ylabel=f"{ranking.metric}, {'table' if ranking.table else 'trained'}")
        axes.legend(loc="best")

    return svg("ranking", "Stand-alone over shared metric of children", draw)


def _points(children: Iterable[RankedChild]) -> list[tuple[float, float]]:
    return [(c.shared, c.standalone) for c in children if c.shared is not None and c.standalone is not None]


def _caption(ranking: Ranking) -> str:
    how = f"looked up in {ranking.table}" if ranking.table else _trained(ranking.repeats)
    return (
        f"{len(ranking.random):,} uniform random children and the run's best {len(ranking.top):,}, measured with "
        f"shared weights and {how}; seed {ranking.seed}."
    )


def _trained(repeats: int) -> str:
    return "trained alike from scratch" + (f", {repeats} times each" if repeats > 1 else "")


def _children(ranking: Ranking) -> list[RankedChild]:
    """All, each once."""
    return list({child.architecture: child for child in (*ranking.random, *ranking.top)}.values())
