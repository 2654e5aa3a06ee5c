"""MONAS (Hsu et al. 2018): a controller whose rewards weigh accuracy against cost, or keep one of them in bounds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from naopt.errors import InputError
from naopt.measurement import Measurement
from naopt.problem import Objective, Problem
from naopt.searchers.base import searchers
from naopt.searchers.policy import Learner, PolicySearcher, PolicySettings
from naopt.searchers.trade_offs import Scale, directions
from naopt.spaces import Architecture, SearchSpace

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from naopt.latent.controller import Controller


class MONASSettings(PolicySettings):
    """Settings of MONAS: its rewards, and a controller like that of ``reinforce``."""

    reward: Literal["mixed", "cost-constrained", "accuracy-constrained"] = "mixed"
    """Weighted objectives; the first alone, within the limits; or all but the first, within the limits. What breaks a
    limit has reward 0."""
    weight: float | Literal["sweep"] = "sweep"
    """Of a mixed reward: a, of the first objective, from 0 to 1; or several weights, each with a controller."""
    weights: int = Field(5, ge=1)
    """How many weights a sweep has."""
    scale: dict[str, tuple[float, float]] = Field(default_factory=dict)
    """Ends between which an objective counts from 0 to 1, by metric; for others ranks of what was told."""


@searchers.register("monas")
class MONASSearcher(PolicySearcher):
    """MONAS: REINFORCE with a reward for several objectives, mixed or within bounds.

    Hsu et al. 2018, "MONAS: multi-objective neural architecture search using reinforcement learning". The first
    objective is the accuracy, the others are costs, and all are brought to 0..1, where 1 is best:

        mixed                 a acc + (1 - a) mean(costs)
        cost-constrained      acc where every limit is kept, else 0
        accuracy-constrained  mean(costs) where every limit is kept, else 0

    The paper searches once for each weight. ``weight=sweep`` has a controller for each of several weightings, which
    write in turn, and all of them learn from all that is measured.

    Departures: rewards count in standard deviations of all rewards so far; the scale follows from what was told
    (``trade_offs.Scale``) where none is given; what breaks a limit has reward 0 in a mixed reward as well; and
    those of ``reinforce``.

    Raises:
        InputError: a reward that needs a limit or a second objective without one, or a weight that is no share.
    """

    settings_type = MONASSettings
    several = True
    limited = True

    def __init__(
        self, space: SearchSpace, problem: Problem | Objective, settings: MONASSettings, *, seed: int, budget: int
    ) -> None:
        super().__init__(space, problem, settings, seed=seed, budget=budget)
        self.options: MONASSettings = settings
        self.weights = self._weights()
        self._learners: list[Learner] = []
        self._scale = Scale.of(self.problem, (), settings.scale)

    def _weights(self) -> NDArray[np.float64]:
        """Of the objectives, by controller: ``(d, k)``."""
        count, kind, weight = len(self.problem.objectives), self.options.reward, self.options.weight
        if weight != "sweep" and not 0 <= weight <= 1:
            raise InputError("setting weight", weight, "must be from 0 to 1, or sweep")
        if kind != "mixed" and not self.problem.limits:
            example = "--max latency_ms=5" if kind == "cost-constrained" else "--min valid_acc=90"
            raise InputError("setting reward", kind, f"needs a limit, such as {example}")
        if kind == "accuracy-constrained" and count == 1:
            raise InputError("setting reward", kind, "needs a second objective, which is rewarded")
        if count == 1 or kind == "cost-constrained":
            return np.eye(1, count)
        if kind == "accuracy-constrained":
            weight = 0.0
        if weight == "sweep":
            return directions(count, self.options.weights)
        return np.array([[weight, *[(1 - weight) / (count - 1)] * (count - 1)]])

    @property
    def learners(self) -> list[Learner]:
        """By weighting; as far as they have learned."""
        if not self._learners:
            self._learners = [
                Learner(self.space, self.options, self.seed + index, is_standard=True)
                for index in range(len(self.weights))
            ]
        return self._learners

    def writer(self, pending: Sequence[Architecture]) -> Controller:
        """The controller whose turn it is."""
        turn = (len(self.history) + len(pending)) // self.options.batch % len(self.learners)
        return self.learners[turn].controller

    def learn(self, told: list[tuple[Architecture, Measurement]]) -> None:
        """A step of every controller on the measurements among ``told`` that have rewards."""
        self._scale = Scale.of(self.problem, self.history[: self.learned + len(told)], self.options.scale)
        some = [(a.tokens, m) for a, m in told if m.ok and all(name in m.metrics for name in self.problem.metrics)]
        if not some:
            return
        tokens, values = [each for each, _ in some], self._values([m for _, m in some])
        losses = [
            learner.step(tokens, (values @ weights).tolist())
            for learner, weights in zip(self.learners, self.weights, strict=True)
        ]
        self.log = {"loss": float(np.mean(losses)), "baseline": [learner.baseline for learner in self.learners]}

    def _values(self, measurements: Sequence[Measurement]) -> NDArray[np.float64]:
        """Objectives from 0 to 1, ``(n, k)``; zeros for what breaks a limit."""
        points = [self.problem.scores(measurement) for measurement in measurements]
        kept = np.array([point is not None for point in points])
        values = np.zeros((len(points), len(self.problem.objectives)))
        if kept.any():
            values[kept] = np.clip(self._scale(np.array([point for point in points if point is not None])), 0.0, 1.0)
        return values
