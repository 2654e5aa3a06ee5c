"""What a network that decides for each image was found to do, as it lies in ``instances.json``. Imports no torch."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from naopt.errors import InputError
from naopt.execution.trial import Trial
from naopt.files import write_text
from naopt.metrics import Dependence, non_dominated
from naopt.networks.costs.insta import OperationCosts
from naopt.one_shot.evaluator import PREFIX
from naopt.run.names import INSTANCES
from naopt.run.operating_points import OperatingPoint, default_point, thrift_for
from naopt.spaces import Architecture
from naopt.values import plain

_VERSION = 1
_MOST, _LEAST_MOVE = 0.99, 0.01


@dataclass(frozen=True)
class ImageDecisions:
    """What was decided for each validation image at the default operating point, in the order of the data.

    Attributes:
        children: texts of the distinct children, the most frequent first.
        child: of each image, an index of these.
        cost: relative, controller included.
        correct: whether the class is right.
        loss: cross entropy, nats.
        label: class index.
        difficulty: loss of the reference, one network for all images, nats.
    """

    children: tuple[str, ...]
    child: tuple[int, ...]
    cost: tuple[float, ...]
    correct: tuple[bool, ...]
    loss: tuple[float, ...]
    label: tuple[int, ...]
    difficulty: tuple[float, ...]


@dataclass(frozen=True)
class Example:
    """An image as one can look at it.

    Attributes:
        image: its index.
        shape: channels, 1 or 3, height and width.
        pixels: bytes in this order, in base64.
    """

    image: int
    shape: tuple[int, int, int]
    pixels: str


@dataclass(frozen=True)
class StaticChild:
    """A child as one network for all images, measured with shared weights.

    Attributes:
        trial: index of its evaluation.
        text: the architecture.
        accuracy: in percent, of the validation images.
        loss: nats.
        latency: relative cost; there is no controller.
        front: whether no other is as good and as cheap, and better in one of both.
    """

    trial: int
    text: str
    accuracy: float
    loss: float
    latency: float
    front: bool


@dataclass(frozen=True)
class InstanceStatistics:
    """What the decisions at the default operating point have to do with the images.

    Attributes:
        entropy: of the children, nats.
        of_class: what a child says about the class.
        of_difficulty: what it says about the quartile of the difficulty.
        cost_and_difficulty: Spearman's rank correlation; ``None`` where one of both does not vary.
        cost_and_difficulty_p: its two-sided p-value.
        loss: mean over the images that were also measured with permuted decisions.
        accuracy: of these, in percent.
        permuted_loss: the mean of ``permutations``, each of which gives the images one another's children.
        permuted_accuracy: likewise.
        permuted_p: share of the permutations, the given one counted in, of as little loss.
        permutations: how many.
    """

    entropy: float
    of_class: Dependence
    of_difficulty: Dependence
    cost_and_difficulty: float | None
    cost_and_difficulty_p: float | None
    loss: float
    accuracy: float
    permuted_loss: float
    permuted_accuracy: float
    permuted_p: float
    permutations: int


@dataclass(frozen=True)
class Instances:
    """What the network does.

    Attributes:
        points: what it reaches, by thrift.
        conditioned: whether thrift makes a difference; else there is one point.
        costs: the table by which paths are judged.
        classes: their names.
        reference: text of the network that says how hard an image is: the most frequent child at thrift 0.
        images: what was decided for each validation image.
        statistics: of these.
        examples: some of the images, from those on the cheapest paths to those on the dearest.
    """

    points: tuple[OperatingPoint, ...]
    conditioned: bool
    costs: OperationCosts
    classes: tuple[str, ...]
    reference: str
    images: ImageDecisions
    statistics: InstanceStatistics
    examples: tuple[Example, ...]

    @property
    def default(self) -> OperatingPoint:
        """The operating point that is taken where none is named."""
        return default_point(self.points)

    def thrift(self, latency: float) -> float:
        """At which thrift the mean relative latency is what is wanted. Raises ``InputError`` out of reach."""
        return thrift_for(self.points, latency)

    def static_cost(self, architecture: Architecture) -> float:
        """Relative cost of a child as one network for all images, without a controller."""
        return self.costs.of(architecture.tokens) / self.costs.whole

    def static(self, trials: Sequence[Trial]) -> list[StaticChild]:
        """Which of a search's trials were measured as static children, the cheapest first."""
        accuracy, loss = (PREFIX + name for name in ("acc", "loss"))
        found = [
            (self.static_cost(t.architecture), t.measurement.metrics[accuracy], t.measurement.metrics[loss], t)
            for t in trials
            if t.measurement is not None and {accuracy, loss} <= t.measurement.metrics.keys()
        ]
        if not found:
            return []
        best = non_dominated(np.array([(-cost, hits) for cost, hits, *_ in found]))
        children = [
            StaticChild(t.index, t.text, hits, nats, cost, bool(front))
            for (cost, hits, nats, t), front in zip(found, best, strict=True)
        ]
        return sorted(children, key=lambda child: (child.latency, -child.accuracy, child.trial))

    def best_static(self, trials: Sequence[Trial]) -> StaticChild | None:
        """Of these the most accurate, of equal ones the cheapest; ``None`` if there are none."""
        return max(self.static(trials), key=lambda child: (child.accuracy, -child.latency), default=None)

    @property
    def collapsed(self) -> str | None:
        """In what way it decides nothing, if it does not: images are all alike to it, or thrifts are."""
        if all(point.largest > _MOST for point in self.points):
            return "one child gets more than 99 % of the images at every operating point"
        latencies = [point.latency for point in self.points]
        if self.conditioned and max(latencies) - min(latencies) < _LEAST_MOVE:
            return f"thrift makes no difference: latency is {min(latencies):.3f} to {max(latencies):.3f} throughout"
        return None

    def document(self) -> dict[str, Any]:
        """All of it as JSON values."""
        more = {"default": self.default.thrift, "collapsed": self.collapsed}
        found: dict[str, Any] = plain({"version": _VERSION, **asdict(self), **more})
        return found


def write_instances(directory: Path, found: Instances) -> None:
    """Writes ``instances.json``, whole. Raises ``NotWrittenError``."""
    write_text(directory / INSTANCES, json.dumps(found.document(), allow_nan=False) + "\n")


def read_instances(directory: Path) -> Instances | None:
    """What lies in a run's directory; ``None`` if nothing does. Raises ``InputError`` if it is damaged."""
    path = directory / INSTANCES
    if not path.is_file():
        return None
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["version"] != _VERSION:
            rule = f"{INSTANCES} has version {document['version']}; this naopt reads {_VERSION}"
            raise InputError("run", str(directory), rule)
        figures = document["statistics"]
        dependences = {name: Dependence(**figures[name]) for name in ("of_class", "of_difficulty")}
        return Instances(
            tuple(OperatingPoint(**point) for point in document["points"]),
            document["conditioned"],
            OperationCosts.read(document["costs"]),
            tuple(document["classes"]),
            document["reference"],
            ImageDecisions(**{name: tuple(column) for name, column in document["images"].items()}),
            InstanceStatistics(**{**figures, **dependences}),
            tuple(Example(**{**each, "shape": tuple(each["shape"])}) for each in document["examples"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError("run", str(directory), f"{INSTANCES} is damaged: {error!r}") from None
