"""Rounds of ``nao`` with one part taken out or replaced, for ``benchmarks.nao_parts``."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from naopt.latent.embedding_model import EmbeddingModel
from naopt.latent.encoding import EVERY
from naopt.latent.gaussian_process import GaussianProcess
from naopt.searchers.candidates import mutants
from naopt.searchers.nao_embedding import EmbeddingRounds
from naopt.searchers.nao_rounds import Found
from naopt.spaces import Architecture, Tokens

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

_CHANGES = 3
_SAMPLE = 2000
_TINY = 1e-12


# What the process sees.


class SomeBlocks(EmbeddingModel):
    """The process sees some blocks of a point only; the decoder reads all."""

    shown: tuple[str, ...] = ("tokens",)
    together = range(0)

    def blocks(self, points: Array) -> list[Array]:
        """See ``EmbeddingModel``."""
        blocks = self.pretrained.embedding.blocks
        return [points[:, blocks[name]] for name in self.shown if name in blocks] or [points]

    def uphill(self, points: Array) -> Array:
        """See ``EmbeddingModel``; no change in the blocks that the process does not see."""
        blocks = self.pretrained.embedding.blocks
        seen = [blocks[name] for name in self.shown if name in blocks] or [slice(0, points.shape[1])]
        whole = np.zeros_like(points)
        found = super().uphill(points)
        at = 0
        for block in seen:
            size = block.stop - block.start
            whole[:, block] = found[:, at : at + size]
            at += size
        return whole


class TokensAndPaths(SomeBlocks):
    """What the process of ``gp`` saw before it had the features of ``nao``."""

    shown = ("tokens", "paths")


class WithoutPositions(SomeBlocks):
    """Spaces without a graph lack the kernel of single positions; others are as they are."""

    shown = EVERY


class OneKernel(EmbeddingModel):
    """One kernel for the whole point, in place of one for each block."""

    together = range(0)

    def blocks(self, points: Array) -> list[Array]:
        """See ``EmbeddingModel``."""
        return [points]


# What predicts.


class Line(GaussianProcess):
    """Bayesian linear regression with equal prior variances: a process whose kernel is the scalar product.

    Bishop 2006, section 3.3. The ratio of prior to noise variance is that of the smallest squared error of predictions
    of each datum by all others (closed form), of nine between 0.01 and 100.
    """

    def fit(
        self,
        groups: Sequence[Array],
        targets: Array,
        parameters: Array | None = None,
        level: float | None = None,  # noqa: ARG002 - a line has none
        errors: Array | None = None,  # noqa: ARG002 - all noise is one
    ) -> GaussianProcess:
        """See ``GaussianProcess``; ``parameters`` are the logarithm of the ratio."""
        self._points, self._targets = np.concatenate(groups, axis=1), targets
        self._middle = self._points.mean(axis=0)
        centred = self._points - self._middle
        self._size = max(float(np.mean((centred**2).sum(axis=1))), _TINY)
        products = centred @ centred.T / self._size
        if parameters is None:
            ratios = np.linspace(np.log(0.01), np.log(100), 9)
            misses = [np.mean((targets - self._left_out(np.exp(ratio) * products)) ** 2) for ratio in ratios]
            parameters = ratios[[int(np.argmin(misses))]]
        self.parameters = parameters
        ratio = float(np.exp(parameters[0]))
        self._inverse = np.linalg.inv(np.eye(len(targets)) + ratio * products)
        self._noise = max(float(targets @ self._inverse @ targets) / len(targets), _TINY)
        weights = ratio / self._size * (centred.T @ self._inverse)
        self._weights, self._reduced = weights @ targets, weights @ centred
        self._prior = ratio * self._noise / self._size
        return self

    def _left_out(self, covariance: Array) -> Array:
        inverse = np.linalg.inv(np.eye(len(covariance)) + covariance)
        guessed: Array = self._targets - inverse @ self._targets / np.diag(inverse)
        return guessed

    @property
    def noise(self) -> float:
        """Variance of the noise."""
        return self._noise

    def left_out(self) -> tuple[Array, Array]:
        """See ``GaussianProcess``."""
        precision = np.diag(self._inverse)
        return self._targets - self._inverse @ self._targets / precision, self._noise / precision

    def believing(self, groups: Sequence[Array]) -> GaussianProcess:
        """See ``GaussianProcess``."""
        mean, _ = self.predict(groups)
        points = np.concatenate([self._points, np.concatenate(groups, axis=1)])
        return Line().fit([points], np.concatenate([self._targets, mean]), self.parameters)

    def predict(self, groups: Sequence[Array]) -> tuple[Array, Array]:
        """See ``GaussianProcess``."""
        mean, variance, _, _ = self.slopes(groups)
        return mean, variance

    def slopes(self, groups: Sequence[Array]) -> tuple[Array, Array, list[Array], list[Array]]:
        """See ``GaussianProcess``."""
        points = np.concatenate(groups, axis=1) - self._middle
        reduced = points - points @ self._reduced
        variance = np.maximum(self._prior * (points * reduced).sum(axis=1), 1e-9)
        cuts = np.cumsum([group.shape[1] for group in groups])[:-1]
        of_mean = np.tile(self._weights, (len(points), 1))
        of_variance = 2 * self._prior * reduced
        return points @ self._weights, variance, np.split(of_mean, cuts, axis=1), np.split(of_variance, cuts, axis=1)


class Linear(EmbeddingModel):
    """A linear model of the same points, with its uncertainty."""

    def new_process(self) -> GaussianProcess:
        """See ``EmbeddingModel``."""
        return Line()


class MeanOnly(EmbeddingModel):
    """Climbs and chooses by the process' mean, in place of the expected improvement."""

    def improvement(self, points: Array, pending: Array | None = None) -> Array:  # noqa: ARG002
        """The mean."""
        return self._fitted().predict(self.split(points))[0]

    def uphill(self, points: Array) -> Array:
        """Directions of the mean's gradient."""
        _, _, of_mean, _ = self._fitted().slopes(self.split(points))
        return of_length_one(np.concatenate(of_mean, axis=1))


# Where candidates come from.


class RandomDirections(EmbeddingRounds):
    """Random directions in place of the gradient."""

    def direction(self, points: Array, rng: np.random.Generator) -> Array:
        """See ``EmbeddingRounds``."""
        return of_length_one(rng.standard_normal(points.shape) * self.model.pretrained.embedding.spread)


class AsTokensCan(EmbeddingRounds):
    """The gradient, projected on what changes of tokens do.

    By least squares over random architectures a point is a linear function of its tokens' block; the gradient is pulled
    back through it to the tokens and pushed forward again.
    """

    @cached_property
    def slopes(self) -> Array:
        """Of the regression ``(tokens' coordinates, dimensions)``."""
        embedding, rng = self.model.pretrained.embedding, np.random.default_rng(0)
        points = embedding.encode([self.space.sample(rng) for _ in range(_SAMPLE)])
        centred = points - points.mean(axis=0)
        found: Array = np.linalg.lstsq(centred[:, embedding.blocks["tokens"]], centred, rcond=None)[0]
        return found

    def direction(self, points: Array, rng: np.random.Generator) -> Array:
        """See ``EmbeddingRounds``."""
        return of_length_one(super().direction(points, rng) @ self.slopes.T @ self.slopes)


class NoAscent(EmbeddingRounds):
    """One-change neighbours alone."""

    def ascend(self, found: Found, seeds: list[Architecture], rng: np.random.Generator) -> dict[str, float]:  # noqa: ARG002
        """Files nothing."""
        return {}


class MutantsInstead(EmbeddingRounds):
    """In place of ascents as many mutants of the seeds, and of the best of these: up to three changes."""

    def ascend(self, found: Found, seeds: list[Architecture], rng: np.random.Generator) -> dict[str, float]:
        """As many as an ascent decodes."""
        options = self.options
        parents = seeds
        for hop in range(options.hops):
            if hop:
                parents = self._most_promising(found, 8)
            wanted = len(parents) * options.starts * options.steps
            new = mutants(self.space, parents, wanted, self.known, rng, _CHANGES)
            for architecture, parent in new.items():
                self.collect(found, architecture, "mutation", parent)
        return {}


class Enumerating(EmbeddingRounds):
    """Knows the point of every architecture of a small space."""

    @cached_property
    def forms(self) -> list[Architecture]:
        """Of architectures with the same canonical form the first."""
        known: dict[Tokens, Architecture] = {}
        for architecture in self.space.enumerate():
            known.setdefault(self.space.canonical(architecture.tokens), architecture)
        return list(known.values())

    @cached_property
    def points(self) -> Array:
        """Of these ``(n, dimensions)``."""
        return self.model.encode(self.forms)


class Nearest(Enumerating):
    """Decodes to the architecture whose point is nearest, of all that there are."""

    def decode(self, points: Array) -> list[Tokens]:
        """See ``EmbeddingRounds``."""
        lengths = (self.points**2).sum(axis=1)
        return [self.forms[i].tokens for i in (lengths - 2 * points @ self.points.T).argmin(axis=1).tolist()]


class Everything(Enumerating):
    """All architectures of the space are candidates: neither ascent nor decoder."""

    def ascend(self, found: Found, seeds: list[Architecture], rng: np.random.Generator) -> dict[str, float]:  # noqa: ARG002
        """Files the most promising ones that are new."""
        values = self.improvement(self.forms, self.points)
        for index in np.argsort(-values, kind="stable").tolist():
            self.collect(found, self.forms[index], "scan", seeds[0])
            if len(found) >= _SHORT_LIST:
                break
        return {}


_SHORT_LIST = 64


def of_length_one(directions: Array) -> Array:
    """Rows of length 1; those of length 0 stay."""
    found: Array = directions / np.maximum(np.linalg.norm(directions, axis=1, keepdims=True), _TINY)
    return found
