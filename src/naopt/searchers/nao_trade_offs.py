"""Rounds of ``nao`` for several objectives, and for limits that have to be measured."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import log_ndtr

from naopt.latent.acquisition import standardised
from naopt.latent.enlargement import Exact, Normal, Outlook, log_enlargement
from naopt.latent.metric_model import MetricModel
from naopt.measurement import Measurement
from naopt.metrics import non_dominated_ranks
from naopt.problem import Limit, Objective, Problem
from naopt.searchers.candidates import standard_errors
from naopt.searchers.nao_embedding import EmbeddingRounds
from naopt.searchers.nao_settings import NAOSettings
from naopt.spaces import Architecture, SearchSpace

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

_MARGIN = 0.1
"""By what share of an objective's range the reference is below the worst."""
_OPTIMISM = 1.0
"""Deviations that ascents add to the mean."""
_DRAWN, _BELIEVED = 500, 100
"""Random architectures from which the slopes of known costs are learned, and which say how bad objectives can be: where
the first ones that were measured are all quick, the best one, which is slow, must not lie below the reference. The
second number is of those that are asked about where a process has to say it."""
_FLAT = 1e-12
_UNKNOWN = -1e6
"""What an architecture is worth of which a known cost is missing."""
_OF_COSTS = 0x636F7374


class TradeOffRounds(EmbeddingRounds):
    """One embedding, a process for each metric that has to be measured, and the exact values of those that are known.

    Candidates are judged by the expected improvement of hypervolume, times the probability that they keep the limits.
    Ascents go where a sum of the objectives grows, whose weights are drawn for each, so that they spread along the
    front; they start from members of it. One objective is the ordinary expected improvement.

    Args:
        space: see ``NAORounds``.
        options: see ``NAORounds``.
        seeds: see ``NAORounds``.
        seed: see ``NAORounds``.
        problem: what is wanted.
    """

    several = True

    def __init__(self, space: SearchSpace, options: NAOSettings, seeds: int, seed: int, problem: Problem) -> None:
        super().__init__(space, options, seeds, seed, problem)
        self.problem = problem
        self._models: dict[str, MetricModel] = {}
        self._told: list[tuple[Architecture, Measurement]] = []
        self._waiting: list[Architecture] = []
        self._made, self._kept = np.empty((0, 0)), np.empty(0, dtype=np.bool_)
        self._reference = np.empty(0)

    @property
    def models(self) -> dict[str, MetricModel]:
        """By the name of each metric that has to be measured; made when first needed."""
        if not self._models:
            known = () if self.problem.costs is None else self.problem.costs.metrics
            made, settings = self.model.pretrained, self.model.settings
            names = [name for name in self.problem.metrics if name not in known]
            self._models = {name: MetricModel(self.space, settings, made, self.priors) for name in names}
        return self._models

    def learn(self, history: Sequence[tuple[Architecture, Measurement]]) -> None:
        """See ``NAORounds``."""
        super().learn(history)
        self._told = [(a, m) for a, m in history if m.ok and m.metrics.keys() >= set(self.problem.metrics)]

    # What is believed.

    def fit(
        self,
        architectures: list[Architecture],  # noqa: ARG002 - more than one metric is learned
        scores: Array,  # noqa: ARG002
        pending: Sequence[Architecture],
        errors: Array | None = None,  # noqa: ARG002 - each metric has its own
    ) -> dict[str, Any]:
        """See ``EmbeddingRounds``; the log is that of the first metric, and ``spearman/NAME`` of the others."""
        told, objectives = [architecture for architecture, _ in self._told], self.problem.objectives
        log: dict[str, Any] = {}
        for name, model in self.models.items():
            values = self._sign(name) * np.array([m.metrics[name] for _, m in self._told])
            found = model.fit(told, values, standard_errors(self._told, Objective(name)))
            log |= {f"spearman/{name}": found["spearman"]} if log and "spearman" in found else {} if log else found
        self._waiting = list(pending)
        raw = np.array([[o.sign * m.metrics[o.metric] for o in objectives] for _, m in self._told])
        self._reference = np.array([self._below(o, raw[:, axis]) for axis, o in enumerate(objectives)])
        self._made = self._believed(told)
        self._kept = np.array([not self.problem.broken(m.metrics) for _, m in self._told])
        return log

    def _below(self, objective: Objective, measured: Array) -> float:
        """A score below all that was measured ``(n,)``, and below what is known or believed of random architectures."""
        elsewhere = self._known_scores.get(objective.metric)
        if elsewhere is None:
            elsewhere = self._expected(objective, self._drawn[:_BELIEVED])
        every = np.concatenate([measured, elsewhere])
        return float(every.min() - _MARGIN * (np.ptp(every) or 1.0))

    def _sign(self, metric: str) -> int:
        """What turns a metric as its objective is turned, if it is one."""
        return next((o.sign for o in self.problem.objectives if o.metric == metric), 1)

    def _believed(self, architectures: Sequence[Architecture]) -> Array:
        """Scores ``(n, k)``: what is known, or what the processes expect."""
        return np.stack([self._expected(o, architectures) for o in self.problem.objectives], axis=1)

    def _expected(self, objective: Objective, architectures: Sequence[Architecture]) -> Array:
        model = self.models.get(objective.metric)
        if model is None:
            return objective.sign * self._known(objective.metric, architectures)
        return model.targets.inverse(model.moments(architectures)[0])

    def _known(self, metric: str, architectures: Sequence[Architecture]) -> Array:
        assert self.problem.costs is not None
        values: Array = self.problem.costs.of(architectures)[metric]
        return values

    def ranking(
        self,
        architectures: list[Architecture],  # noqa: ARG002 - what was told is known
        rng: np.random.Generator,
    ) -> list[Architecture]:
        """See ``EmbeddingRounds``: by rank of dominance, within a rank at random; what breaks limits is last."""
        ranks = np.where(self._kept, 0, len(self._kept)) + non_dominated_ranks(self._made)
        order = np.lexsort((rng.random(len(ranks)), ranks))
        told = [architecture for architecture, _ in self._told]
        return [told[index] for index in order]

    # Judging.

    def improvement(
        self,
        architectures: Sequence[Architecture],
        points: Array,  # noqa: ARG002 - each metric has points of its own
        believed: Sequence[Architecture] = (),
    ) -> Array:
        """See ``EmbeddingRounds``."""
        waiting = [*self._waiting, *believed]
        front = np.concatenate([self._made[self._kept], self._believed(waiting)]) if waiting else self._made[self._kept]
        front = front[np.isfinite(front).all(axis=1)]
        outlooks = [self._outlook(o, architectures, waiting) for o in self.problem.objectives]
        found = log_enlargement(outlooks, front, self._reference)
        for limit in self.problem.measured:
            found += self._log_kept(limit, architectures)
        return np.where(np.isnan(found), _UNKNOWN, found)

    def _outlook(
        self, objective: Objective, architectures: Sequence[Architecture], waiting: Sequence[Architecture]
    ) -> Outlook:
        model = self.models.get(objective.metric)
        if model is None:
            return Exact(objective.sign * self._known(objective.metric, architectures))
        if len(model.targets.scores) == 1:  # nothing says yet that it can be anything else
            return Exact(np.full(len(architectures), model.targets.scores[0]))
        return Normal(*model.moments(architectures, waiting), model.targets)

    def _log_kept(self, limit: Limit, architectures: Sequence[Architecture]) -> Array:
        """Logarithm of the probability that a limit is kept ``(n,)``."""
        model, sign = self.models[limit.metric], self._sign(limit.metric)
        mean, deviation = model.moments(architectures)
        room = float(model.targets.transform(np.array([sign * limit.value]))[0]) - mean
        room *= sign if limit.bound == "max" else -sign
        return np.asarray(log_ndtr(standardised(room, deviation)), dtype=np.float64)

    def predict(self, architectures: list[Architecture]) -> Array:
        """The first objective's means as scores, or what is known of it."""
        return self._expected(self.problem.objective, architectures) if architectures else np.zeros(0)

    # Climbing.

    def direction(self, points: Array, rng: np.random.Generator) -> Array:
        """See ``EmbeddingRounds``: up a weighted sum of the objectives, in units of each one's own slope."""
        weights = rng.dirichlet(np.ones(len(self.problem.objectives)), size=len(points))
        total = np.zeros_like(points)
        for axis, objective in enumerate(self.problem.objectives):
            total += weights[:, axis : axis + 1] * self._uphill(objective, points)
        length = np.linalg.norm(total, axis=1, keepdims=True)
        return total / np.where(length > _FLAT, length, 1.0)

    def _uphill(self, objective: Objective, points: Array) -> Array:
        """Slopes of unit length ``(n, d)``."""
        model = self.models.get(objective.metric)
        if model is None:
            slope = np.broadcast_to(objective.sign * self._cost_slopes[objective.metric], points.shape)
        else:
            of_mean, of_deviation = model.slopes(points)
            slope = of_mean + _OPTIMISM * of_deviation
        length = np.linalg.norm(slope, axis=1, keepdims=True)
        found: Array = slope / np.where(length > _FLAT, length, 1.0)
        return found

    @cached_property
    def _drawn(self) -> list[Architecture]:
        rng = np.random.default_rng([self.seed, _OF_COSTS])
        drawn = dict.fromkeys(self.space.sample(rng) for _ in range(_DRAWN))
        known = [o.metric for o in self.problem.objectives if o.metric not in self.models]
        finite = [np.isfinite(self._known(metric, list(drawn))) for metric in known]
        kept = np.logical_and.reduce(finite) if finite else np.ones(len(drawn), dtype=np.bool_)
        return [architecture for architecture, there in zip(drawn, kept, strict=True) if there]

    @cached_property
    def _known_scores(self) -> dict[str, Array]:
        """By known metric, its scores ``(n,)`` of random architectures."""
        known = [objective for objective in self.problem.objectives if objective.metric not in self.models]
        return {each.metric: each.sign * self._known(each.metric, self._drawn) for each in known}

    @cached_property
    def _cost_slopes(self) -> dict[str, Array]:
        """By known metric, its slopes ``(d,)`` in the embedding: least squares over random architectures."""
        drawn = self._drawn
        points = self.model.seen(drawn)
        found = {}
        for objective in self.problem.objectives:
            if objective.metric not in self.models:
                values = self._known(objective.metric, drawn)
                centred = points - points.mean(axis=0)
                slopes = np.linalg.lstsq(centred, values - values.mean(), rcond=1e-6)[0]
                found[objective.metric] = np.concatenate([slopes, np.zeros(len(self.model.spread) - len(slopes))])
        return found
