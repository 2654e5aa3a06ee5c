"""Bayesian optimisation with a Gaussian process on one-hot and path features."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from naopt.configuration import PresetSettings
from naopt.searchers.base import Objective, Proposal, searchers
from naopt.searchers.candidates import CandidateKind, Candidates, best_first, require_scannable
from naopt.searchers.predictor import GROUPS, Acquisition, Encoding, PredictorSearcher
from naopt.spaces import Architecture, SearchSpace

if TYPE_CHECKING:
    from numpy.typing import NDArray


class GPSettings(PresetSettings):
    """Settings of Gaussian-process search. No paper defines this baseline; defaults are ours."""

    presets: ClassVar[dict[str, dict[str, Any]]] = {"default": {}}

    preset: Literal["default"] = "default"
    initial: int = Field(10, ge=1)
    """Random architectures before the first fit."""
    batch: int = Field(1, ge=1)
    """Architectures of one round. Each further one is chosen as if those before it had been measured and were as
    predicted (kriging believer)."""
    encoding: Encoding = "both"
    """What the process sees: one-hot tokens, paths from input to output, both, or these and sizes, each with a kernel
    of its own. Generic positions have no paths and no sizes."""
    kernel: Literal["rbf", "matern"] = "rbf"
    """Squared exponential or Matern 5/2."""
    acquisition: Acquisition = "ei"
    """Expected or probable improvement, upper confidence bound, independent Thompson sampling, or the mean alone."""
    bound_weight: float = Field(2.0, ge=0)
    """Deviations that ``acquisition=ucb`` adds to the mean."""
    candidates: CandidateKind = "auto"
    """All architectures (``scan``), random ones and mutations of the best (``local``), or all where the space has at
    most 100,000 sequences."""
    random: int = Field(100, ge=0)
    """Random candidates of a round, if local."""
    mutations: int = Field(300, ge=1)
    """Mutations of the best, if local."""
    parents: int = Field(10, ge=1)
    """The best so many architectures are mutated in turn."""
    changes: int = Field(2, ge=1)
    """Most mutations in a row from a parent to a candidate."""
    normalisation: Literal["rank", "standard"] = "rank"
    """Targets: normal scores of the ranks, or zero mean and unit variance."""


@searchers.register("gp")
class GPSearcher(PredictorSearcher):
    """A Gaussian process on one-hot and path features; measures what promises the largest expected improvement.

    Jones, Schonlau, Welch 1998 (EGO); path features: White et al. 2021. The process is fitted anew, hyper-parameters
    included, before every query. In a small space every architecture is a candidate, in a large one random
    architectures and mutations of the best.

    Raises:
        InputError: ``candidates=scan`` in a space of more than 1,000,000 sequences.
    """

    settings_type = GPSettings

    def __init__(
        self, space: SearchSpace, objective: Objective, settings: GPSettings, *, seed: int, budget: int
    ) -> None:
        super().__init__(
            space, objective, settings, seed=seed, budget=budget, initial=settings.initial, batch=settings.batch
        )
        self.options = settings
        require_scannable(settings.candidates, space)

    def propose(
        self, architectures: list[Architecture], scores: NDArray[np.float64], wanted: int, rng: np.random.Generator
    ) -> list[Proposal]:
        """One round: fit, then choose one after the other."""
        from naopt.latent.acquisition import acquire
        from naopt.latent.encoding import encoded
        from naopt.latent.gaussian_process import GaussianProcess
        from naopt.latent.targets import Targets

        options, names = self.options, GROUPS[self.options.encoding]
        candidates = Candidates(
            self.space,
            names,
            best_first(architectures, scores)[: options.parents],
            self.seen,
            rng,
            kind=options.candidates,
            random=options.random,
            mutations=options.mutations,
            changes=options.changes,
        )
        targets = Targets.fit(scores, options.normalisation)
        y, groups = targets.transform(scores), list(encoded(self.space, architectures, names).values())
        process = GaussianProcess(options.kernel).fit(groups, y)
        left = np.arange(len(candidates))
        chosen: list[Proposal] = []
        while len(left) and len(chosen) < wanted:
            mean, variance = candidates.predict(process.predict)
            value = acquire(
                options.acquisition, mean[left], np.sqrt(variance[left]), float(y.max()), options.bound_weight, rng
            )
            at = int(left[np.argmax(value)])
            (predicted,) = self.in_units(mean[[at]], targets)
            chosen.append(candidates.proposal(at, predicted))
            left = left[left != at]
            if len(chosen) < wanted:
                more = list(encoded(self.space, [candidates.architecture(at)], names).values())
                groups = [np.concatenate(pair) for pair in zip(groups, more, strict=True)]
                y = np.append(y, mean[at])
                process = GaussianProcess(options.kernel).fit(groups, y, process.parameters)
        self.log = {"candidates": len(candidates), "noise": process.noise}
        return chosen
