"""The report's section on a network that decides for each image what it computes."""

from __future__ import annotations

from base64 import b64decode
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from naopt.report.bench_elements import figures
from naopt.report.charts import INK, MAIN, SECOND, svg
from naopt.report.elements import number, rows_table, section
from naopt.report.front_chart import draw_surface
from naopt.report.pictures import data_uri, png
from naopt.report.summary import drawable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from naopt.metrics import Dependence
    from naopt.run.instances import Example, Instances, StaticChild
    from naopt.run.record import RunRecord

_LATENCY = "latency, 1 is the whole meta-graph's"
_BINS = 20


def instance_section(record: RunRecord) -> str:
    """Curve, decisions, statistics and example images, as HTML; empty if nothing of the kind was measured."""
    found = record.instances
    if found is None:
        return ""
    static, point = found.static(record.trials), found.default
    drawn: list[tuple[str | None, str, str]] = [
        (
            _curve(found, static),
            "Accuracy against latency",
            "On the validation images. Ringed: the default operating point. Static children have the shared weights, "
            "which were trained beside the controller, and no controller.",
        ),
        (_shares(found), "Share of images by latency", f"At the default operating point, thrift {point.thrift:g}."),
        (
            _difficulty(found),
            "Latency against difficulty",
            "A dot an image, and the means of the quarters; difficulty is the loss of one network for all images.",
        ),
    ]
    said = (
        f"At the default operating point, thrift {point.thrift:g}, {point.accuracy:.2f} % of the validation images are "
        f"right, at latency {point.latency:.3f} on average, {point.milliseconds:.3g} ms an image in batches of 64. "
        f"Distinct children in use: {len(found.images.children):,}."
    )
    warning = f'<p class="warn">The policy has collapsed: {escape(found.collapsed)}.</p>' if found.collapsed else ""
    return section(
        "A network for each image",
        f'{warning}<p>{escape(said)}</p><div class="figures">{figures(drawn)}</div>'
        + rows_table(("what", "value", "by chance", "p"), _rows(found), numeric=(1, 2, 3))
        + _strip(found),
    )


def _curve(found: Instances, static: list[StaticChild]) -> str:
    def draw(axes: Axes) -> None:
        for front, colour, size, label in ((False, INK, 14, "static children"), (True, SECOND, 22, "static front")):
            chosen = [(child.latency, child.accuracy) for child in static if child.front == front]
            if chosen:
                x, y = zip(*chosen, strict=True)
                axes.scatter(x, y, s=size, alpha=0.8, linewidths=0, color=colour, label=label, zorder=2 + front)
        if static:
            worst = max(child.latency for child in static), min(child.accuracy for child in static)
            draw_surface(axes, chosen, (-1, 1), worst, color=SECOND, linewidth=1.0, alpha=0.7)
        points = sorted((point.latency, point.accuracy) for point in found.points)
        axes.plot(
            *zip(*points, strict=True), color=MAIN, linewidth=1.6, marker="o", markersize=4, label="each image its own"
        )
        at = found.default
        axes.scatter(at.latency, at.accuracy, s=90, facecolors="none", edgecolors=MAIN, linewidths=1.6, label="default")
        axes.set(xlabel=_LATENCY, ylabel="accuracy, %")
        axes.legend(loc="best")

    return svg("instances-curve", "Accuracy against latency", draw)


def _shares(found: Instances) -> str:
    costs = np.array(found.images.cost)

    def draw(axes: Axes) -> None:
        axes.hist(costs, bins=_BINS, weights=np.full(len(costs), 100 / len(costs)), color=MAIN, alpha=0.8)
        axes.axvline(float(costs.mean()), color=SECOND, linewidth=1.4, label="mean")
        axes.set(xlabel=_LATENCY, ylabel="images, %")
        axes.legend(loc="best")

    return svg("instances-shares", "Share of images by latency", draw)


def _difficulty(found: Instances) -> str:
    difficulty = np.array([drawable(loss) for loss in found.images.difficulty])
    costs = np.array(found.images.cost)

    def draw(axes: Axes) -> None:
        axes.scatter(difficulty, costs, s=12, alpha=0.35, linewidths=0, color=INK, label="images")
        quarters = [rows for rows in np.array_split(np.argsort(difficulty, kind="stable"), 4) if len(rows)]
        means = [(difficulty[rows].mean(), costs[rows].mean()) for rows in quarters]
        axes.plot(*zip(*means, strict=True), color=MAIN, linewidth=1.6, marker="o", markersize=5, label="quarters")
        axes.set(xlabel="difficulty, nats", ylabel=_LATENCY)
        axes.legend(loc="best")

    return svg("instances-difficulty", "Latency against difficulty", draw)


def _rows(found: Instances) -> list[tuple[str, str, str, str]]:
    figures = found.statistics
    loss, accuracy = number(figures.permuted_loss), f"{figures.permuted_accuracy:.2f}"
    return [
        ("distinct children", f"{len(found.images.children):,}", "", ""),
        ("entropy of the children, nats", f"{figures.entropy:.3f}", "", ""),
        ("child and class, mutual information, nats", *_dependence(figures.of_class)),
        ("child and quarter of difficulty, mutual information, nats", *_dependence(figures.of_difficulty)),
        (
            "latency and difficulty, Spearman",
            number(figures.cost_and_difficulty),
            "0",
            number(figures.cost_and_difficulty_p),
        ),
        (f"loss, and with {figures.permutations} permutations of the children", number(figures.loss), loss,
         number(figures.permuted_p)),
        ("accuracy, %, likewise", f"{figures.accuracy:.2f}", accuracy, ""),
    ]  # fmt: skip


def _dependence(found: Dependence) -> tuple[str, str, str]:
    return f"{found.nats:.3f}", f"{found.by_chance:.3f}", number(found.p)


def _strip(found: Instances) -> str:
    """Example images, the cheapest first."""
    pictures = "".join(_picture(found, example) for example in found.examples)
    return (
        f"<figure><div>{pictures}</div><figcaption><b>From cheap to dear.</b> Images on the cheapest paths, and on the "
        "dearest; the latency is below.</figcaption></figure>"
    )


def _picture(found: Instances, example: Example) -> str:
    images, at = found.images, example.image
    file = png(b64decode(example.pixels), *example.shape)
    label = f"image {at}, class {found.classes[images.label[at]]}, latency {images.cost[at]:.3f}"
    label += ", right" if images.correct[at] else ", wrong"
    return (
        '<span style="display:inline-block;margin:0 6px 6px 0;text-align:center;font-size:.75em">'
        f'<img src="{data_uri(file)}" alt="{escape(label)}" title="{escape(label)}" width="56" height="56" '
        f'style="image-rendering:pixelated;object-fit:contain"><br>{images.cost[at]:.2f}</span>'
    )
