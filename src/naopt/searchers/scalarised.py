"""Several objectives for searchers that know one: directions, each with a searcher of its own."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from naopt.configuration import Settings, split_settings
from naopt.errors import InputError, UnknownNameError
from naopt.measurement import Measurement
from naopt.problem import Objective, Problem
from naopt.searchers.base import Proposal, Searcher
from naopt.searchers.forbidden import Seen
from naopt.searchers.trade_offs import Range, Scale, chebyshev, directions, linear
from naopt.spaces import Architecture, SearchSpace

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

Kind = Literal["weights", "chebyshev"]

KINDS: tuple[Kind, ...] = get_args(Kind)
_VALUE = {"weights": linear, "chebyshev": chebyshev}
_SCORE = "score"
_GOLDEN = (math.sqrt(5) - 1) / 2


@dataclass(frozen=True, slots=True)
class Scalarisation:
    """How several objectives become one.

    Attributes:
        kind: ``weights``: their weighted sum; ``chebyshev``: the worst weighted one, plus 0.05 of the weighted sum.
        weights: one direction, by objective; directions spread over all there are if there are none.
        scale: ends between which an objective counts from 0 to 1, by metric; ranks of what was told for others.
        count: how many directions, where no weights are given.

    Raises:
        InputError: another kind, weights that are negative or all zero, no range, or no direction.
    """

    kind: Kind = "chebyshev"
    weights: tuple[float, ...] = ()
    scale: Mapping[str, Range] = field(default_factory=dict)
    count: int = 8

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UnknownNameError("--scalarise", self.kind, KINDS)
        if self.weights and (min(self.weights) < 0 or not 0 < sum(self.weights) < math.inf):
            raise InputError("weights of --scalarise", _listed(self.weights), "must be at least 0, one of them above")
        for metric, (low, high) in self.scale.items():
            if not (math.isfinite(low) and math.isfinite(high) and low != high):
                raise InputError(f"scale of {metric}", f"{low:g}:{high:g}", "must be two different finite numbers")
        if self.count < 1:
            raise InputError("directions of --scalarise", self.count, "must be at least 1")

    @classmethod
    def parse(cls, text: str) -> Scalarisation:
        """From ``weights``, ``chebyshev``, ``weights=0.7,0.3``, ``chebyshev,latency_ms=0:20``, or ``InputError``."""
        first, *rest = split_settings(text)
        name, equals, weight = first.partition("=")
        kinds: dict[str, Kind] = {kind: kind for kind in KINDS}
        if name.strip() not in kinds:
            raise UnknownNameError("--scalarise", name.strip(), KINDS)
        weights, scale = ([_number(text, weight)] if equals else []), {}
        for part in rest:
            metric, equals, ends = part.rpartition("=")
            if not equals:
                weights.append(_number(text, part))
                continue
            low, colon, high = ends.partition(":")
            if not metric or not colon:
                raise InputError("--scalarise", text, f"{part} must be METRIC=LOW:HIGH")
            scale[metric] = _number(text, low), _number(text, high)
        return cls(kinds[name.strip()], tuple(weights), scale)

    def __str__(self) -> str:
        first = f"{self.kind}={_listed(self.weights)}" if self.weights else self.kind
        return ",".join([first, *(f"{metric}={low:g}:{high:g}" for metric, (low, high) in self.scale.items())])

    def directions(self, problem: Problem) -> list[Array]:
        """Weights by objective, each ``(k,)`` with sum 1. Raises ``InputError`` if there are too many or too few."""
        wanted = len(problem.objectives)
        if wanted < 2:
            raise InputError("--scalarise", str(self), "needs several objectives")
        if not self.weights:
            return list(directions(wanted, self.count))
        if len(self.weights) != wanted:
            names = ", ".join(objective.metric for objective in problem.objectives)
            raise InputError("weights of --scalarise", _listed(self.weights), f"must be {wanted}, one each for {names}")
        return [np.array(self.weights) / sum(self.weights)]

    def score(self, values: Array, weights: Array) -> Array:
        """What a searcher in the direction of ``weights`` maximises ``(n,)``, of scaled objectives ``(n, k)``."""
        return _VALUE[self.kind](values, weights)


class Scalarised(Searcher):
    """A searcher for one objective takes several: each of some directions has one of its own, and they take turns.

    Every direction is a weighting of the objectives, brought to one scale. Its searcher is told all that is measured,
    scored in its direction, and proposes in its turn. Whose turn it is depends on how much was told and is pending,
    spread evenly whatever the size of a round.

    Where the scale follows from what was told it moves as that grows: on a schedule, each time by a fifth. Then the
    searchers begin anew, and are told everything on the new scale.

    What breaks a limit has failed, for all of them, and why is known.

    Args:
        space: see ``Searcher``.
        problem: of at least two objectives.
        settings: of the searchers.
        seed: of each.
        budget: see ``Searcher``.
        kind: of the searchers.
        scalarisation: kind, directions and scale.

    Raises:
        InputError: weights or a scale that do not belong to the objectives.
    """

    several = True

    def __init__(
        self,
        space: SearchSpace,
        problem: Problem | Objective,
        settings: Settings,
        *,
        seed: int,
        budget: int,
        kind: type[Searcher],
        scalarisation: Scalarisation,
    ) -> None:
        super().__init__(space, problem, settings, seed=seed, budget=budget)
        self.kind, self.scalarisation = kind, scalarisation
        self.weights = scalarisation.directions(self.problem)
        self._scale = Scale.of(self.problem, (), scalarisation.scale)
        self._searchers: dict[int, Searcher] = {}
        self._latest: tuple[int, Searcher] = 0, self._create()

    @property
    def round_size(self) -> int:
        """That of the searchers."""
        return self._latest[1].round_size

    def round_log(self) -> dict[str, Any]:
        """What the searcher whose turn it was says, and its ``direction``: a number from 0."""
        direction, searcher = self._latest
        return {**searcher.round_log(), "direction": direction}

    def ask(self, count: int, pending: Sequence[Architecture] = ()) -> list[Proposal]:
        """What the searcher whose turn it is proposes. What it predicts is in no metric's unit, and left out."""
        direction = self.turn(len(self.history) + len(pending))
        searcher = self._informed(direction)
        self._latest = direction, searcher
        return [replace(proposal, predicted=None) for proposal in searcher.ask(count, pending)]

    def turn(self, count: int) -> int:
        """Whose it is after ``count`` proposals: a golden section's multiples are even for every size of a round."""
        return int(len(self.weights) * (count * _GOLDEN % 1))

    def _informed(self, direction: int) -> Searcher:
        """The searcher of a direction, told the whole history."""
        scale = Scale.of(self.problem, self.history, self.scalarisation.scale)
        if scale.told != self._scale.told:
            self._scale, self._searchers = scale, {}
        if direction not in self._searchers:
            self._searchers[direction] = self._create()
        searcher = self._searchers[direction]
        new = self.history[len(searcher.history) :]
        for (architecture, _), measurement in zip(new, self._scored([m for _, m in new], direction), strict=True):
            searcher.tell(architecture, measurement)
        return searcher

    def _create(self) -> Searcher:
        problem = replace(self.problem, objectives=(Objective(_SCORE),), limits=self.problem.known)
        searcher = self.kind(self.space, problem, self.settings, seed=self.seed, budget=self.budget)
        if isinstance(searcher.seen, Seen) and isinstance(self.seen, Seen):
            searcher.seen.forbidden = self.seen.forbidden
        return searcher

    def _scored(self, measurements: Sequence[Measurement], direction: int) -> list[Measurement]:
        """What the searcher of a direction is told."""
        points = [self.problem.scores(measurement) for measurement in measurements]
        known = np.array([point for point in points if point is not None], dtype=np.float64)
        values = self._scale(known.reshape(-1, len(self.problem.objectives)))
        scores = iter(self.scalarisation.score(values, self.weights[direction]).tolist())
        return [
            self._failed(measurement) if point is None else Measurement({_SCORE: next(scores)}, measurement.seconds)
            for measurement, point in zip(measurements, points, strict=True)
        ]

    def _failed(self, measurement: Measurement) -> Measurement:
        if not measurement.ok:
            return replace(measurement, metrics={})
        broken = self.problem.broken(measurement.metrics)
        reason = f"breaks {broken[0]}" if broken else "lacks an objective"
        return Measurement({}, measurement.seconds, "invalid", reason)


def _number(text: str, part: str) -> float:
    try:
        return float(part)
    except ValueError:
        raise InputError("--scalarise", text, f"{part.strip() or 'nothing'} is no number") from None


def _listed(weights: Sequence[float]) -> str:
    return ",".join(f"{weight:g}" for weight in weights)
