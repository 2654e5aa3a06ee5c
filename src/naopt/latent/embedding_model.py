"""The default latent model of ``nao``: an embedding that needs no label, a Gaussian process on it, a decoder."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import erfcx

from naopt.latent.acquisition import log_expected_improvement
from naopt.latent.base import PerformanceModel
from naopt.latent.embedding_settings import EmbeddingSettings
from naopt.latent.gaussian_process import GaussianProcess
from naopt.latent.pretraining import Pretrained, pretrained
from naopt.latent.priors import Priors
from naopt.latent.schedule import scheduled
from naopt.latent.targets import Normalisation, Targets
from naopt.metrics import kendall_tau, pairwise_accuracy, spearman
from naopt.spaces import Architecture, SearchSpace, Tokens

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

_FEWEST_JUDGED = 3
_FLAT = 1e-12


class EmbeddingModel(PerformanceModel):
    """Scores are a Gaussian process over the points of ``Embedding``, with one kernel for each of its blocks.

    Targets are the likeliest power of the scores (``Targets``), so one outlier at 10 % accuracy neither squeezes the
    others together nor bends the process. What the paper fits jointly is parted here: encoder and decoder come from the
    space alone (``pretrained``), measurements move nothing but the process, which takes milliseconds and knows what it
    does not know.

    Args:
        space: of the architectures.
        settings: see there.
        priors: what is known before anything is measured: further columns of a point, which are not decoded. Ascents
            see them move with the embedding as they do among random architectures.
    """

    def __init__(self, space: SearchSpace, settings: EmbeddingSettings, priors: Priors | None = None) -> None:
        self.space, self.settings, self.priors = space, settings, priors
        self.normalisation: Normalisation = settings.normalisation or "yeo-johnson"
        self._pretrained: Pretrained | None = None
        self._process: GaussianProcess | None = None
        self._targets: Targets | None = None
        self._best = 0.0
        self._parameters: dict[int, tuple[tuple[bytes, ...], Array]] = {}

    @property
    def pretrained(self) -> Pretrained:
        """Embedding, decoder and scale; made or loaded when first needed."""
        if self._pretrained is None:
            self._pretrained = pretrained(self.space, self.settings)
        return self._pretrained

    def share(self, made: Pretrained) -> None:
        """Takes embedding and decoder of another model of the same space and settings."""
        self._pretrained = made

    # Fitting.

    def fit(
        self, architectures: Sequence[Architecture], scores: Array, errors: Array | None = None
    ) -> dict[str, float]:
        """Fits the process; see the class.

        The process' parameters are those of the first ``m <= n`` measurements, the largest ``m`` of a fixed schedule
        (``settings.refit_growth``), so that a fit depends on nothing but what it is given.

        Args:
            architectures: ``n >= 1`` of them.
            scores: finite ``(n,)``.
            errors: standard errors of the scores ``(n,)``, where they are known.

        Returns:
            ``fit_seconds``, ``train_size``, the ``noise`` variance of the targets, and, from predictions of each
            measurement by all others (Rasmussen & Williams 2006, Eq. 5.12), ``held_out`` (their number),
            ``pairwise_accuracy``, ``kendall_tau`` and ``spearman``.
        """
        points = self.encode(architectures)
        started = time.perf_counter()
        self._targets = Targets.fit(scores, self.normalisation)
        targets = self._targets.transform(scores)
        parameters = self._scheduled(points, scores, errors)
        self.learn_trend(points, targets)
        rest, variances = targets - self.trend(points), _variances(self._targets, scores, errors)
        self._process = self.new_process().fit(self.split(points), rest, parameters, errors=variances)
        self._best = float(self._expected(points, targets).max())
        log = {
            "fit_seconds": time.perf_counter() - started,
            "train_size": float(len(scores)),
            "noise": self._process.noise,
        }
        if self.priors is not None:
            log |= self.priors.weights(self._process.shares())
        if len(scores) >= _FEWEST_JUDGED and scores.min() < scores.max():
            guessed = self._process.left_out()[0] + self.trend(points)
            log |= {
                "held_out": float(len(scores)),
                "pairwise_accuracy": pairwise_accuracy(scores, guessed),
                "kendall_tau": kendall_tau(scores, guessed),
                "spearman": spearman(scores, guessed),
            }
        return log

    def _expected(self, points: Array, targets: Array) -> Array:
        """Of what was measured, what expected improvement is over."""
        if self.settings.best == "measured":
            return targets
        process = self._fitted()
        return process.own()[0] + self.trend(points) if process.knows_errors else self.moments(points)[0]

    def foreseen(self) -> float:
        """Logarithm of the density of all targets, each predicted from the others; larger for better models of them."""
        mean, variance = self._fitted().left_out()
        away = (self._fitted().targets - mean) ** 2 / variance
        return float(-0.5 * (away + np.log(2 * np.pi * variance)).sum())

    def learn_trend(self, points: Array, targets: Array) -> None:
        """Learns what is taken off the targets ``(n,)`` at points ``(n, dimensions)`` before the process is fitted."""

    def trend(self, points: Array) -> Array:
        """Of targets at points ``(n, dimensions)``, what is no matter of the process ``(n,)``: nothing."""
        return np.zeros(len(points))

    def new_process(self) -> GaussianProcess:
        """One that is not fitted yet."""
        linear = 0 if self.priors is None else len(self.priors)
        return GaussianProcess(
            self.settings.kernel,
            linear=linear,
            levelled=self.settings.mean != "zero",
            product=self.together,
        )

    def _scheduled(self, points: Array, scores: Array, errors: Array | None) -> Array:
        count = scheduled(len(scores), self.settings.refit_growth)
        first = (
            points[:count].tobytes(),
            scores[:count].tobytes(),
            b"" if errors is None else errors[:count].tobytes(),
        )
        known = self._parameters.get(count)
        if known is None or known[0] != first:
            known_targets = Targets.fit(scores[:count], self.normalisation)
            targets = known_targets.transform(scores[:count])
            variances = _variances(known_targets, scores[:count], None if errors is None else errors[:count])
            self.learn_trend(points[:count], targets)
            rest = targets - self.trend(points[:count])
            process = self.new_process().fit(self.split(points[:count]), rest, errors=variances)
            assert process.parameters is not None
            self._parameters = {count: (first, process.parameters)}
        return self._parameters[count][1]

    # Predictions.

    def predict(self, architectures: Sequence[Architecture]) -> Array:
        """Scores ``(n,)``. Raises ``RuntimeError`` before the first ``fit``."""
        if not architectures:
            return np.zeros(0)
        return self.targets.inverse(self.moments(self.encode(architectures))[0])

    def improvement(self, points: Array, pending: Array | None = None) -> Array:
        """Logarithm of the expected improvement of points ``(n, dimensions)`` over the best measured one.

        "Best" is the best of the process' means at what was measured, or the best measurement (``settings.best``).

        Args:
            points: where.
            pending: points ``(m, dimensions)`` that will be measured anyway: the process believes that they turn out as
                predicted (Ginsbourger et al. 2010, "kriging believer").
        """
        return log_expected_improvement(*self.moments(points, pending), self._best)

    def moments(self, points: Array, pending: Array | None = None) -> tuple[Array, Array]:
        """Mean and deviation ``(n,)`` of the targets at points ``(n, dimensions)``; see ``improvement``."""
        process = self._fitted()
        if pending is not None and len(pending):
            process = process.believing(self.split(pending))
        mean, variance = process.predict(self.split(points))
        return mean + self.trend(points), np.sqrt(variance)

    def own(self) -> tuple[Array, Array]:
        """Of what was measured ``(n,)``, mean and variance of the targets that endless repetition would give."""
        return self._fitted().own()

    @property
    def noise(self) -> float:
        """Variance of the targets that is each architecture's own."""
        return self._fitted().noise

    @property
    def targets(self) -> Targets:
        """The map between scores and targets. Raises ``RuntimeError`` before the first ``fit``."""
        if self._targets is None:
            raise RuntimeError("a prediction needs a fit first")
        return self._targets

    def slopes(self, points: Array) -> tuple[Array, Array]:
        """Gradients ``(n, dimensions)`` of the targets' mean, and of their deviation."""
        _, variance, of_mean, of_variance = self._fitted().slopes(self.split(points))
        if not of_mean:
            return np.zeros_like(points), np.zeros_like(points)
        spread = 2 * np.sqrt(variance)[:, None]
        return self._along(of_mean), self._along(of_variance) / spread

    def uphill(self, points: Array) -> Array:
        """Directions ``(n, dimensions)`` of unit length in which the expected improvement grows most."""
        mean, variance, of_mean, of_variance = self._fitted().slopes(self.split(points))
        deviation = np.sqrt(variance)
        # The slope by the mean over that by the deviation, Phi(z) / phi(z): it is left where both vanish.
        below = (self._best - mean) / deviation
        ratio = np.minimum(np.sqrt(np.pi / 2) * erfcx(below / np.sqrt(2)), 1e6)[:, None]
        parts = [ratio * m + v / (2 * deviation[:, None]) for m, v in zip(of_mean, of_variance, strict=True)]
        direction = self._along(parts) if parts else np.zeros_like(points)
        length = np.linalg.norm(direction, axis=1, keepdims=True)
        return direction / np.where(length > _FLAT, length, 1.0)

    def _along(self, parts: list[Array]) -> Array:
        """Gradients ``(n, dimensions)`` from those of the groups: priors have their slopes in the embedding."""
        if self.priors is None:
            return np.concatenate(parts, axis=1)
        count = len(self.priors)
        own, known = np.concatenate(parts[: -2 * count], axis=1), np.concatenate(parts[-2 * count :], axis=1)
        both = known[:, :count] + known[:, count:]
        slopes = self.priors.slopes
        own[:, : len(slopes)] += both @ slopes.T
        return np.concatenate([own, np.zeros_like(both)], axis=1)

    def means(self, architectures: Sequence[Architecture]) -> Array:
        """Targets ``(n,)`` that the process expects."""
        return self.moments(self.encode(architectures))[0]

    # Encoding and decoding.

    def encode(self, architectures: Sequence[Architecture]) -> Array:
        """Points ``(n, dimensions)``: what is ``seen``, then the priors."""
        points = self.seen(architectures)
        return points if self.priors is None else np.concatenate([points, self.priors(architectures)], axis=1)

    def split(self, points: Array) -> list[Array]:
        """Points ``(n, dimensions)`` by blocks, one for each kernel."""
        if self.priors is None:
            return self.blocks(points)
        count = len(self.priors)
        return [*self.blocks(points[:, :-count]), *self.priors.groups(points[:, -count:])]

    def seen(self, architectures: Sequence[Architecture]) -> Array:
        """Points ``(n, columns)`` without priors."""
        return self.pretrained.embedding.encode(architectures)

    def blocks(self, points: Array) -> list[Array]:
        """Points ``(n, columns)`` without priors by blocks."""
        return self.pretrained.embedding.split(points)

    @property
    def together(self) -> range:
        """Which of the blocks share a kernel."""
        return self.pretrained.embedding.together

    @property
    def spread(self) -> Array:
        """Standard deviations ``(dimensions,)`` among unlabelled architectures; 0 for what ascents do not move."""
        spread = self.pretrained.embedding.spread
        return spread if self.priors is None else np.concatenate([spread, np.zeros(len(self.priors))])

    def decode(self, points: Array) -> list[Tokens]:
        """The architecture of each point; every one is valid."""
        return self.pretrained.decoder.decode(points[:, : self.pretrained.embedding.dimensions])

    def reconstruct(self, architectures: Sequence[Architecture]) -> list[Tokens]:
        """Tokens decoded from each architecture's point."""
        return self.decode(self.encode(architectures))

    def presented(self, architectures: Sequence[Architecture]) -> list[Tokens]:
        """Canonical tokens."""
        return self.pretrained.embedding.features.canonical(architectures)

    def _fitted(self) -> GaussianProcess:
        if self._process is None:
            raise RuntimeError("a prediction needs a fit first")
        return self._process


def _variances(targets: Targets, scores: Array, errors: Array | None) -> Array | None:
    return None if errors is None else targets.variances(scores, errors)
