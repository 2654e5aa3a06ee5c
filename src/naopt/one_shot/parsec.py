"""PARSEC: a distribution over architectures learns by importance sampling (Casale et al. 2019)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from naopt.one_shot.base import Memory, OneShotSearcher, one_shot
from naopt.one_shot.distribution import DISTRIBUTION, ArchitectureDistribution
from naopt.one_shot.drawing import draw_candidates
from naopt.one_shot.warmup import WarmupSettings
from naopt.searchers.base import Proposal

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import nn
    from torch.optim import Adam

    from naopt.latent.controller import IndependentController
    from naopt.networks.path import Path
    from naopt.one_shot.path_trainer import PathTrainer
    from naopt.spaces import Architecture, SearchSpace, Tokens

_NEGLIGIBLE = 1e-3
"""Paths whose weight is smaller, as a share of the largest, give no gradient."""


class PARSECSettings(WarmupSettings):
    """Settings of PARSEC."""

    samples: int = Field(16, ge=2)
    """K: paths of one step of the distribution, all on the same validation batch. The bias of the gradient falls
    with 1 / K."""
    weight_samples: int = Field(16, ge=1)
    """K of one step of the shared weights: paths on the same training batch, weighted by how well they explain it. One
    is cheapest by far."""
    likelihood_temperature: float = Field(0.1, gt=0)
    """What mean losses (nats) are divided by before paths are weighted by their likelihood; 1 / (size of a batch) is
    the likelihood of the whole batch, of which one path mostly takes all."""
    distribution_learning_rate: float = Field(0.01, gt=0)
    """Of the distribution's Adam."""
    start: str = ""
    """A distribution to begin with: a file, or the directory of a finished search; empty for a uniform one."""
    start_temperature: float = Field(1.0, gt=0)
    """T: its tables are taken to the power of 1/T; above 1 they are nearer to uniform."""


@one_shot.register("parsec")
class PARSECSearcher(OneShotSearcher):
    """PARSEC: learns a distribution over architectures by importance sampling, in the memory of one path.

    Casale, Gordon & Fusi 2019, "Probabilistic neural architecture search". Each step, with K paths ``x_k ~ pi`` and
    their mean negative log-likelihoods ``l_k`` of one validation batch:

        w = softmax(-l / T),    pi: Adam along sum_k (w_k - 1/K) grad log pi(x_k)

    and the shared weights go along ``-sum_k w_k grad l_k`` on a training batch, with K = ``weight_samples``. The sums
    are the gradients of ``log mean_k exp(-l_k / T)``, the estimated log-likelihood; ``1/K`` changes no expectation,
    since that of ``grad log pi`` is 0, and much of the variance. Likelihoods are those of the data, see
    ``SharedData.log_likelihoods``; what the shared weights descend is the training loss, with all that the training
    settings add to it.

    Departures: means over a batch and a temperature instead of a batch's whole likelihood, which one path would win;
    the distribution waits for the first fifth of the epochs; choices are masked to those that are valid.
    """

    settings_type = PARSECSettings

    def __init__(self, space: SearchSpace, settings: PARSECSettings, *, seed: int) -> None:
        super().__init__(space, settings, seed=seed)
        self.options = settings
        self._start = ArchitectureDistribution.load(settings.start, space) if settings.start else None
        self._learner: tuple[IndependentController, Adam] | None = None
        self._steps, self._effective, self._likelihood = 0, 0.0, 0.0

    @property
    def controller(self) -> IndependentController:
        """The distribution as it stands, as a controller."""
        return self._learning[0]

    @property
    def _learning(self) -> tuple[IndependentController, Adam]:
        if self._learner is None:
            import torch

            start = self._start or ArchitectureDistribution.of(
                self.space, [np.zeros(len(position.choices)) for position in self.space.positions]
            )
            controller = start.tempered(self.options.start_temperature).controller(self.space)
            rate = self.options.distribution_learning_rate
            self._learner = controller, torch.optim.Adam(controller.parameters(), lr=rate)
        return self._learner

    def distribution(self) -> ArchitectureDistribution:
        """The distribution as it stands."""
        logits = self.controller.weights.detach().double().numpy()
        rows = [row[: len(position.choices)] for row, position in zip(logits, self.space.positions, strict=True)]
        return ArchitectureDistribution.of(self.space, rows)

    def leave(self, directory: pathlib.Path) -> None:
        """Writes the distribution into ``distribution.json``."""
        self.distribution().save(directory / DISTRIBUTION)

    def sample(self) -> Architecture:
        """An architecture from the distribution."""
        return self.space.architecture(self.controller.sample(1, self.rng)[0])

    def step(self, trainer: PathTrainer) -> float:
        """One step of the distribution, and one of the shared weights.

        What is given is ``-T log mean_k exp(-l_k / T)`` of several paths, or the training loss of one.
        """
        warming = self.options.warming_up(trainer.epoch)
        if not warming and not self._learn(trainer):
            return math.nan
        if self.options.weight_samples == 1:
            uniform = warming and not self.options.start
            return trainer.train_path(trainer.path(super().sample() if uniform else self.sample()))
        return self._train_weighted(trainer)

    def _learn(self, trainer: PathTrainer) -> bool:
        """One step of the distribution; false where no path's loss is finite."""
        drawn, paths = self._draw(self.options.samples, trainer)
        losses = -trainer.data.log_likelihoods(paths, trainer.data.next_valid())
        if not np.isfinite(losses).any():
            return False
        weights, likelihood = importance_weights(losses, self.options.likelihood_temperature)
        self._steps += 1
        self._effective += 1 / float(weights @ weights)
        self._likelihood += likelihood
        self._follow(drawn, weights - 1 / len(weights))
        return True

    def _draw(self, count: int, trainer: PathTrainer) -> tuple[list[Tokens], list[Path]]:
        """Architectures of the distribution as it wrote them, and their paths."""
        drawn = self.controller.sample(count, self.rng)
        return drawn, [trainer.path(self.space.architecture(tokens)) for tokens in drawn]

    def _follow(self, drawn: Sequence[Tokens], weights: NDArray[np.float64]) -> None:
        """A step along the weighted sum of the gradients of the log-probabilities."""
        import torch

        controller, optimizer = self._learning
        log_probability, _ = controller(np.array(drawn, dtype=np.int64))
        optimizer.zero_grad(set_to_none=True)
        (-(torch.from_numpy(weights).to(log_probability.dtype) * log_probability).sum()).backward()
        optimizer.step()

    def _train_weighted(self, trainer: PathTrainer) -> float:
        """One step of the shared weights along the weighted gradients of several paths.

        Likelihoods first, without gradients, then one path after the other: the memory is that of one.
        """
        from naopt.networks.supernet import unique

        _, paths = self._draw(self.options.weight_samples, trainer)
        batch = trainer.data.next_train()
        losses = -trainer.data.log_likelihoods(paths, batch)
        weights, likelihood = importance_weights(losses, self.options.likelihood_temperature)
        total: dict[Path, float] = {}
        for path, weight in zip(paths, weights.tolist(), strict=True):
            total[path] = total.get(path, 0.0) + weight
        touched: list[nn.Parameter] = []
        for path, weight in total.items():
            if weight >= _NEGLIGIBLE * max(total.values()):
                (weight * trainer.loss_of(path, batch)).backward()  # type: ignore[no-untyped-call]
                touched += trainer.shared.path_parameters()
        trainer.apply(unique(touched))
        return -likelihood

    def end_epoch(self, trainer: PathTrainer) -> dict[str, float]:  # noqa: ARG002
        """Figures, as means over the epoch's steps.

        The distribution's ``entropy`` in nats per architecture at the end; the ``effective_samples`` 1 / sum w^2, of
        K; and the ``log_likelihood`` ``T log mean_k exp(-l_k / T)`` on validation batches in nats. While warming up,
        the first alone.
        """
        from naopt.one_shot.learner import mean_entropy

        figures = {"entropy": mean_entropy(self.controller, self.rng)}
        if self._steps:
            figures["effective_samples"] = self._effective / self._steps
            figures["log_likelihood"] = self._likelihood / self._steps
        self._steps, self._effective, self._likelihood = 0, 0.0, 0.0
        return figures

    def candidates(self, count: int, trainer: PathTrainer) -> list[Proposal]:  # noqa: ARG002
        """The mode of the distribution, then distinct samples, then uniform ones if there are too few."""
        mode = Proposal(self.space.architecture(self.distribution().mode(self.space)), "mode")

        def draw(some: int) -> list[Tokens]:
            return self.controller.sample(some, self.rng)

        return draw_candidates(self.space, draw, count, "distribution", self.rng, [mode])

    def memory(self) -> Memory:
        """Distribution, optimiser, and the sums that the epoch's figures are made of."""
        from naopt.one_shot.learner import learner_tensors

        controller, optimizer = self._learning
        facts = {"steps": self._steps, "effective": self._effective, "likelihood": self._likelihood}
        return Memory(learner_tensors([controller.weights], optimizer), facts)

    def restore(self, memory: Memory) -> None:
        """See ``OneShotSearcher``."""
        from naopt.one_shot.learner import restore_learner

        controller, optimizer = self._learning
        restore_learner([controller.weights], optimizer, memory.tensors)
        facts = memory.facts
        self._steps = int(facts["steps"])
        self._effective, self._likelihood = float(facts["effective"]), float(facts["likelihood"])


def importance_weights(losses: NDArray[np.float64], temperature: float) -> tuple[NDArray[np.float64], float]:
    """How much of the likelihood of their mixture each of K paths has.

    Args:
        losses: ``(K,)`` mean negative log-likelihoods in nats; a path whose loss is not finite has no weight.
        temperature: T.

    Returns:
        ``w = softmax(-losses / T)`` ``(K,)``, and ``T log mean_k exp(-losses_k / T)`` in nats. Where no loss is
        finite, both are NaN.
    """
    scores = np.where(np.isfinite(losses), -losses, -np.inf) / temperature
    if not np.isfinite(losses).any():
        return np.full(len(losses), np.nan), math.nan
    total = float(np.logaddexp.reduce(scores))
    return np.exp(scores - total), temperature * (total - math.log(len(losses)))
