"""The report's charts, as SVG text in colours that read on light and on dark pages.

Drawn with matplotlib's object interface: no global state is changed.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from naopt.report.summary import drawable, finite, round_summaries, value_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from naopt.run.record import RunRecord

INK, GRID, MAIN, SECOND, THIRD = "#7b8494", "#8490a2", "#2f7fd1", "#d9772b", "#2f9e7a"
_ORIGINS = {"random": INK, "ascent": MAIN, "refill": SECOND}
_MORE = (THIRD, "#8b6fd1", "#c2557f", "#9a8420")
_STYLE = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.size": 9,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": GRID,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": GRID,
    "grid.alpha": 0.22,
    "grid.linewidth": 0.6,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
}


@contextmanager
def chart_style(more: Mapping[str, str] | None = None) -> Iterator[None]:
    """What is made meanwhile with matplotlib looks like the report's charts; with further settings."""
    import matplotlib as mpl

    with mpl.rc_context({**_STYLE, **(more or {})}):  # type: ignore[dict-item]
        yield


def origin_colours(origins: Sequence[str]) -> dict[str, str]:
    """A colour for each origin, always the same for those of NAO."""
    others = [origin for origin in dict.fromkeys(origins) if origin not in _ORIGINS]
    return _ORIGINS | {origin: _MORE[at % len(_MORE)] for at, origin in enumerate(others)}


def metric_label(record: RunRecord) -> str:
    """The objective's metric, whether it is a surrogate's, and which direction is better."""
    goal = f"{'higher' if record.objective.goal == 'max' else 'lower'} is better"
    return f"{record.objective.metric} ({'surrogate, ' if record.surrogate else ''}{goal})"


def trajectory_chart(record: RunRecord, against: RunRecord | None = None) -> str | None:
    """Best value so far over queries, with every measured value as a dot; ``None`` if nothing was measured."""
    if all(value_of(record, trial) is None for trial in record.evaluated):
        return None
    return svg("trajectory", "Best value so far over queries", lambda axes: draw_trajectory(axes, record, against))


def draw_trajectory(axes: Axes, record: RunRecord, against: RunRecord | None = None) -> None:
    """The best value so far over queries, with every measured value as a dot.

    The axis holds both curves after their first tenth, and the better three quarters of the dots.

    Args:
        axes: where to draw.
        record: a search in which something was measured.
        against: another one.
    """
    best = _drawable(record.trajectory())
    trials = enumerate(record.evaluated, start=1)
    values = [(at, drawable(value), trial) for at, trial in trials if (value := value_of(record, trial)) is not None]
    colours = origin_colours([trial.origin for _, _, trial in values])
    for origin in dict.fromkeys(trial.origin for _, _, trial in values):
        points = [(at, value) for at, value, trial in values if trial.origin == origin]
        x, y = zip(*points, strict=True)
        axes.scatter(x, y, s=14, alpha=0.6, linewidths=0, color=colours[origin], label=origin)
    shown = _settled(best)
    if against is not None:
        other = _drawable(against.trajectory())
        shown += _settled(other)
        name = against.config.searcher
        _steps(axes, other, INK, f"best so far, {name} (other run)", dashes=(0, (4, 2)))
    _steps(axes, best, MAIN, f"best so far, {record.config.searcher}")
    dots = sorted((value for _, value, _ in values), reverse=record.objective.goal == "max")
    shown += dots[: (3 * len(dots) + 3) // 4]
    pad = 0.05 * (max(shown) - min(shown)) or 0.05 * abs(max(shown)) or 1.0
    axes.set_ylim(min(shown) - pad, max(shown) + pad)
    axes.set(xlabel="queries", ylabel=metric_label(record))
    axes.legend(loc="best")


def _drawable(best: Sequence[float | None]) -> list[float | None]:
    return [None if value is None else drawable(value) for value in best]


def _settled(best: Sequence[float | None]) -> list[float]:
    """The curve after its first tenth, in which it comes from anywhere."""
    return [value for value in best[len(best) // 10 :] if value is not None]


def _steps(axes: Axes, best: Sequence[float | None], colour: str, label: str, dashes: object = "-") -> None:
    known = [(at + 1, value) for at, value in enumerate(best) if value is not None]
    if known:
        x, y = zip(*known, strict=True)
        axes.step(x, y, where="post", color=colour, linewidth=1.8, label=label, linestyle=dashes)
        axes.scatter(x[-1], y[-1], s=18, color=colour, zorder=3)


def prediction_chart(record: RunRecord) -> str | None:
    """Predicted against measured, a dot a query, linked to its row; ``None`` if nothing was predicted."""
    points = [
        (trial, drawable(expected), drawable(value))
        for trial in record.evaluated
        if (value := value_of(record, trial)) is not None and (expected := finite(trial.predicted)) is not None
    ]
    if not points:
        return None

    def draw(axes: Axes) -> None:
        colours = origin_colours([trial.origin for trial, _, _ in points])
        for origin in dict.fromkeys(trial.origin for trial, _, _ in points):
            chosen = [(expected, value, t.index) for t, expected, value in points if t.origin == origin]
            x, y, rows = zip(*chosen, strict=True)
            dots = axes.scatter(x, y, s=18, alpha=0.7, linewidths=0, color=colours[origin], label=origin)
            dots.set_urls([f"#a{row}" for row in rows])
        low = max(min(p for _, p, _ in points), min(v for _, _, v in points))
        high = min(max(p for _, p, _ in points), max(v for _, _, v in points))
        if low < high:
            axes.plot([low, high], [low, high], color=GRID, linewidth=1, linestyle=(0, (4, 3)), label="equal")
        axes.set(xlabel=f"predicted {record.objective.metric}", ylabel=f"measured {record.objective.metric}")
        axes.legend(loc="best")

    return svg("prediction", "Predicted against measured", draw)


def quality_chart(record: RunRecord) -> str | None:
    """Held-out pairwise accuracy and decoder Hamming distance over training architectures (NAO, Fig. 2a).

    ``None`` if the searcher logged neither.
    """
    rounds = [r for r in round_summaries(record) if r.number("train_size") is not None]
    accuracy = [(r.number("train_size"), a) for r in rounds if (a := r.number("pairwise_accuracy")) is not None]
    hamming = [(r.number("train_size"), h) for r in rounds if (h := r.number("hamming")) is not None]
    if not accuracy and not hamming:
        return None

    def draw(axes: Axes) -> None:
        axes.set_xlabel("architectures the model was fitted on")
        right = axes.twinx() if accuracy and hamming else axes
        for side, points, colour, marker, label in (
            (axes, accuracy, MAIN, "o", "pairwise accuracy, held out"),
            (right, hamming, SECOND, "s", "decoder Hamming distance, tokens"),
        ):
            if points:
                x, y = zip(*points, strict=True)
                side.plot(x, y, marker=marker, markersize=4, color=colour, linewidth=1.6)
                side.set_ylabel(label, color=colour)
                side.tick_params(axis="y", colors=colour)
        if hamming:
            right.set_ylim(bottom=0)
        if right is not axes:
            right.grid(visible=False)
            right.spines["right"].set_visible(True)

    return svg("quality", "Model quality over training architectures", draw)


def rounds_chart(record: RunRecord) -> str | None:
    """Measured and predicted mean of each round (NAO, Fig. 2b); ``None`` if nothing was measured."""
    rounds = [r for r in round_summaries(record) if r.measured_mean is not None]
    if not rounds:
        return None
    predicted = [(r.architectures, drawable(r.predicted_mean)) for r in rounds if r.predicted_mean is not None]

    def draw(axes: Axes) -> None:
        x = [r.architectures for r in rounds]
        mean = [drawable(r.measured_mean or 0.0) for r in rounds]
        spread = [r.measured_std or 0.0 for r in rounds]
        axes.fill_between(
            x,
            [drawable(m - s) for m, s in zip(mean, spread, strict=True)],
            [drawable(m + s) for m, s in zip(mean, spread, strict=True)],
            color=MAIN,
            alpha=0.14,
            linewidth=0,
            label="± one standard deviation",
        )
        axes.plot(x, mean, marker="o", markersize=4, color=MAIN, linewidth=1.6, label="measured mean")
        if predicted:
            axes.plot(
                *zip(*predicted, strict=True), marker="s", markersize=4, color=SECOND, linewidth=1.4,
                label="predicted mean",
            )  # fmt: skip
        for r, m in zip(rounds, mean, strict=True):
            if set(r.origins) == {"random"}:
                axes.plot(r.architectures, m, marker="o", markersize=7, color=INK, linestyle="")
        axes.set(xlabel="architectures measured by the end of the round", ylabel=record.objective.metric)
        axes.legend(loc="best")

    return svg("rounds", "Measured and predicted mean of each round", draw)


def svg(name: str, label: str, draw: Callable[[Axes], None], size: tuple[float, float] = (6.4, 3.7)) -> str:
    """One chart of so many inches; ``name`` keeps its element ids apart from those of the page's other charts."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    with chart_style({"svg.hashsalt": name}):
        figure = Figure(figsize=size)
        FigureCanvasSVG(figure)
        draw(figure.subplots())
        # As an engine of the figure it would have everything drawn once more before it is written.
        ConstrainedLayoutEngine().execute(figure)
        out = io.StringIO()
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(out, format="svg", transparent=True, metadata=nothing)
    text = out.getvalue()
    text = text[text.index("<svg") :].replace("<svg", f'<svg class="chart" role="img" aria-label="{label}"', 1).strip()
    for identifier in dict.fromkeys(re.findall(r' id="([^"]+)"', text)):
        text = text.replace(f' id="{identifier}"', f' id="{name}-{identifier}"')
        text = re.sub(f'#{re.escape(identifier)}(?=[")])', f"#{name}-{identifier}", text)
    return text
