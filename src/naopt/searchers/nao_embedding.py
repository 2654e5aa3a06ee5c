"""Rounds of ``nao`` in the embedding that is learned from the space alone."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from naopt.latent.embedding_model import EmbeddingModel
from naopt.latent.embedding_settings import EmbeddingSettings
from naopt.latent.priors import Priors
from naopt.latent.threads import one_thread
from naopt.problem import Problem
from naopt.searchers.base import Known, Proposal, sample_new
from naopt.searchers.candidates import SMALL, mutants
from naopt.searchers.feasible import Feasible
from naopt.searchers.first import candidates_elsewhere
from naopt.searchers.forbidden import Forbidden
from naopt.searchers.nao_rounds import Found, NAORounds
from naopt.searchers.nao_settings import NAOSettings
from naopt.spaces import Architecture, SearchSpace, Tokens

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

_PARENTS, _MUTANTS, _RANDOM, _CHANGES = 10, 200, 100, 3
_ALLOWED = 2000
_FAR = 500
_FIRST = 64
"""How many of the most promising are judged anew after each choice."""
_HOP_WIDTH = 8
"""From how many of the best that it found an ascent goes on."""


class EmbeddingRounds(NAORounds):
    """Ascents of the expected improvement, and a choice among real architectures by the same.

    Eq. 2 of the paper with three changes that decide everything. Steps are measured in distances of neighbouring
    architectures, because smaller ones decode to where they began. Many ascents start around each seed, each moving
    some coordinates only, because one gradient leads to one place. And what decodes is encoded anew and judged there,
    because between architectures the predictor may like what no architecture is.
    """

    model_type: ClassVar[type[EmbeddingModel]] = EmbeddingModel
    several: ClassVar[bool] = False
    """Whether there are several objectives, or limits that have to be measured."""

    def __init__(
        self, space: SearchSpace, options: NAOSettings, seeds: int, seed: int, problem: Problem | None = None
    ) -> None:
        fields = {name: getattr(options, name) for name in EmbeddingSettings.model_fields}
        self._costs = None if problem is None else problem.priors
        self.priors: Priors | None = None
        if problem is not None and problem.priors is not None:
            self.priors = Priors(space, problem.priors, self._embedded, slow=problem.slow_priors)
        self.model = self.model_type(space, EmbeddingSettings(**fields), self.priors)
        super().__init__(space, options, seeds, seed)
        self._pending: Array | None = None
        self._every: list[Architecture] | None = None

    def _embedded(self, architectures: Sequence[Architecture]) -> Array:
        return self.model.pretrained.embedding.encode(architectures)

    def new_feasible(self) -> Feasible:
        """What can be measured, by the points of the embedding."""

        def described(architectures: Sequence[Architecture]) -> list[Array]:
            every, apart = self.model.blocks(self.model.seen(architectures)), self.model.pretrained.embedding.together
            return [block for at, block in enumerate(every) if at not in apart]

        return Feasible(self.space, described)

    def propose(
        self,
        architectures: list[Architecture],
        scores: Array,
        known: Known,
        pending: Sequence[Architecture],
        wanted: int,
        rng: np.random.Generator,
        errors: Array | None = None,
    ) -> tuple[list[Proposal], dict[str, Any]]:
        """See ``NAORounds``. Seeds are the best by what the model makes of all measurements, not by single ones."""
        with one_thread():
            return self._propose(architectures, scores, known, pending, wanted, rng, errors)

    def _propose(
        self,
        architectures: list[Architecture],
        scores: Array,
        known: Known,
        pending: Sequence[Architecture],
        wanted: int,
        rng: np.random.Generator,
        errors: Array | None,
    ) -> tuple[list[Proposal], dict[str, Any]]:
        self.known = known
        if self.priors is not None:
            self.priors.begin([*architectures, *pending])
        log = self.fit(architectures, scores, pending, errors)
        started = time.perf_counter()
        ranking = self.ranking(architectures, rng)
        seeds = ranking[: self.seeds]
        found: Found = {}
        log |= self.ascend(found, seeds, rng)
        self.add_neighbours(found, seeds, rng)
        for architecture in candidates_elsewhere(self._costs, Known(known, found)):
            found[architecture] = Proposal(architecture, "prior")
        if self.model.pretrained.embedding.together and not known.forbidden:
            self._add_far(found, rng)
        if self.feasible.concludes or known.forbidden or self.several:
            self._add_likely(found, ranking, rng)
        if known.forbidden and self.space.size <= SMALL:
            self._add_allowed(found, known.forbidden, rng)
        chosen = self.filled_up(self.choose(found, wanted), seeds, wanted, rng)
        return chosen, log | {"seeds": len(seeds), "ascent_seconds": time.perf_counter() - started}

    def fit(
        self,
        architectures: list[Architecture],
        scores: Array,
        pending: Sequence[Architecture],
        errors: Array | None = None,
    ) -> dict[str, Any]:
        """Fits what predicts to what was measured, ``n >= 2``; what is pending turns out as predicted, it believes."""
        log = dict(self.model.fit(architectures, scores, errors))
        self._pending = self.model.encode(pending) if pending else None
        return log

    def ranking(self, architectures: list[Architecture], rng: np.random.Generator) -> list[Architecture]:  # noqa: ARG002
        """What was measured, best first."""
        return [architectures[i] for i in np.argsort(-self.model.means(architectures), kind="stable")]

    def _add_far(self, found: Found, rng: np.random.Generator) -> None:
        """Files random architectures, for spaces without a graph.

        A process that weighs single positions knows where it knows nothing, and ascents stay near what was measured.
        """
        for architecture in sample_new(self.space, Known(self.known, found), _FAR, rng):
            if architecture not in self.unlikely:
                found[architecture] = Proposal(architecture, "random")

    def _add_likely(self, found: Found, ranking: list[Architecture], rng: np.random.Generator) -> None:
        """Files mutants of the best, and random architectures, that can probably be measured.

        Expected improvement knows no limit, so ascents end where nothing can be measured, and next to nothing is left
        of them; the way along a limit is found by changes of several tokens. The best are those that compute different
        things, for a limit may leave many spellings of one cell, each as good as the next.
        """
        best: dict[Tokens, Architecture] = {}
        for architecture in ranking:
            best.setdefault(self.space.canonical(architecture.tokens), architecture)
        near = mutants(self.space, list(best.values())[:_PARENTS], _MUTANTS, Known(self.known, found), rng, _CHANGES)
        far = sample_new(self.space, Known(self.known, found, near), _RANDOM, rng)
        drawn = [Proposal(architecture, "neighbour", parent=parent) for architecture, parent in near.items()]
        drawn += [Proposal(architecture, "random") for architecture in far]
        likely = self.feasible.likely([proposal.architecture for proposal in drawn])
        found |= {proposal.architecture: proposal for proposal, kept in zip(drawn, likely, strict=True) if kept}

    def _add_allowed(self, found: Found, forbidden: Forbidden, rng: np.random.Generator) -> None:
        """Files what limits on known costs leave of a small space, or a random part of it.

        Limits cut a space into islands, and steps from the best do not lead from one to another.
        """
        if self._every is None:
            self._every = list(dict.fromkeys(self.space.enumerate()))
        left = np.flatnonzero(forbidden.allowed(self._every))
        for index in rng.permutation(left)[:_ALLOWED].tolist():
            architecture = self._every[index]
            if architecture not in self.known and architecture not in found and architecture not in self.unlikely:
                found[architecture] = Proposal(architecture, "random")

    def ascend(self, found: Found, seeds: list[Architecture], rng: np.random.Generator) -> dict[str, float]:
        """Files what decodes along the ascents from the seeds and, hop by hop, from the best of that."""
        options = self.options
        decoded = changed = novel = 0
        origins = seeds
        for hop in range(options.hops):
            if hop:
                origins = self._most_promising(found, _HOP_WIDTH)
            if not origins:
                break
            tokens = self.decode(self._paths(self.model.encode(origins), rng))
            per_origin = options.starts * options.steps
            built: dict[Tokens, Architecture] = {}
            for index, row in enumerate(tokens):
                if row not in built:
                    built[row] = self.space.architecture(row)
                parent = origins[index // per_origin]
                changed += built[row] != parent
                novel += self.collect(found, built[row], "ascent", parent)
            decoded += len(tokens)
        return {"decoded": decoded, "changed": changed / max(decoded, 1), "novel": novel / max(decoded, 1)}

    def _paths(self, points: Array, rng: np.random.Generator) -> Array:
        """Points on the ascents from points ``(n, d)``: ``(n * starts * steps, d)``, a path after the other."""
        options, pretrained = self.options, self.model.pretrained
        count, size = points.shape
        spread = self.model.spread
        free = np.flatnonzero(spread)
        if not len(free):
            return points.repeat(options.starts * options.steps, axis=0)
        length = np.linalg.norm(spread)
        noise = rng.standard_normal((count, options.starts, size)) * spread
        noise[:, 0] = 0
        begin = points[:, None] + options.noise * pretrained.unit / length * noise
        direction = self.direction(begin.reshape(-1, size), rng)
        moving = rng.random(direction.shape) < options.moved_share
        moving[np.arange(len(moving)), free[rng.integers(len(free), size=len(moving))]] = True
        direction = np.where(moving, direction, 0.0)
        direction /= np.maximum(np.linalg.norm(direction, axis=1, keepdims=True), np.finfo(np.float64).tiny)
        steps = pretrained.unit * (options.first_step + options.step_growth * np.arange(options.steps))
        paths = begin.reshape(-1, 1, size) + steps[:, None] * direction[:, None]
        points_moved: Array = paths.reshape(-1, size)
        return points_moved

    def direction(self, points: Array, rng: np.random.Generator) -> Array:  # noqa: ARG002
        """Where to from points ``(n, d)``, of unit length."""
        return self.model.uphill(points)

    def decode(self, points: Array) -> list[Tokens]:
        """An architecture for each point ``(n, d)``."""
        return self.model.decode(points)

    def choose(self, found: Found, wanted: int) -> list[Proposal]:
        """The greatest expected improvements, one after the other, each after the ones before are believed.

        Times the probability that an architecture can be measured, where failures say anything about that (Gardner et
        al. 2014, "Bayesian optimization with inequality constraints", Eq. 6); all as logarithms.
        """
        if not found or wanted < 1:
            return []
        proposals = self._looked_at(found, wanted)
        architectures = [proposal.architecture for proposal in proposals]
        points, log_feasible = self.model.encode(architectures), self.feasible.log_weight(architectures)
        values, chosen = np.empty(len(proposals)), list[int]()

        def judge(rows: NDArray[np.intp]) -> None:
            some, believed = [architectures[row] for row in rows], [architectures[row] for row in chosen]
            values[rows] = self.improvement(some, points[rows], believed) + log_feasible[rows]
            values[chosen] = -np.inf

        every = np.arange(len(proposals))
        judge(every)
        while len(chosen) < min(wanted, len(proposals)):
            if chosen:
                # What is believed makes others promise less: the first ones tell, unless the rest promised more before.
                order = np.argsort(-values, kind="stable")
                first, rest = np.sort(order[:_FIRST]), order[_FIRST:]
                judge(first)
                if len(rest) and values[first].max() < values[rest].max():
                    judge(every)
            chosen.append(int(values.argmax()))
        return [proposals[index] for index in chosen]

    def _looked_at(self, found: Found, wanted: int) -> list[Proposal]:
        """All; or those that promise most by what is known of priors, if a look at these takes time."""
        if self.priors is None or not self.priors.slow:
            return list(found.values())
        best = self._most_promising(found, self.priors.looks(wanted))
        self.priors.look(best)
        return [found[architecture] for architecture in best]

    def _most_promising(self, found: Found, count: int) -> list[Architecture]:
        architectures = list(found)
        points = self.model.encode(architectures)
        values = self.improvement(architectures, points) + self.feasible.log_weight(architectures)
        return [architectures[index] for index in np.argsort(-values, kind="stable")[:count]]

    def improvement(
        self,
        architectures: Sequence[Architecture],  # noqa: ARG002 - for what is known of them
        points: Array,
        believed: Sequence[Architecture] = (),
    ) -> Array:
        """Logarithms of expected improvements ``(n,)`` of candidates and their points ``(n, dimensions)``.

        As if what is pending, and what is ``believed``, had turned out as predicted.
        """
        parts = [part for part in (self._pending, self.model.encode(believed)) if part is not None]
        return self.model.improvement(points, np.concatenate(parts))

    def predict(self, architectures: list[Architecture]) -> Array:
        """The process' means as scores."""
        return self.model.predict(architectures)
