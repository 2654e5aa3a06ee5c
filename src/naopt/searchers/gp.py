"""Bayesian optimisation with a Gaussian process on features of what an architecture computes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from naopt.configuration import PresetSettings
from naopt.problem import Objective, Problem
from naopt.searchers.base import Proposal, searchers
from naopt.searchers.candidates import CandidateKind, Candidates, require_scannable
from naopt.searchers.feasible import Unlikely
from naopt.searchers.predictor import GROUPS, Acquisition, Encoding, Prediction, PredictorSearcher, Turn
from naopt.spaces import Architecture, SearchSpace

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from naopt.latent.gaussian_process import GaussianProcess


class GPSettings(PresetSettings):
    """Settings of Gaussian-process search. No paper defines this baseline; defaults are ours."""

    presets: ClassVar[dict[str, dict[str, Any]]] = {"default": {}}

    preset: Literal["default"] = "default"
    initial: int = Field(10, ge=1)
    """Random architectures before the first fit."""
    batch: int = Field(1, ge=1)
    """Architectures of one round. Each further one is chosen as if those before it had been measured and were as
    predicted (kriging believer)."""
    encoding: Encoding = "all"
    """What the process sees: one-hot tokens, paths from input to output, both, these and sizes, or all that ``nao``
    embeds, each group with a kernel of its own. Generic positions have tokens and numbers only and, with ``all``, one
    kernel more in which each position has a length scale of its own."""
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
class GPSearcher(PredictorSearcher[Candidates, "Beliefs"]):
    """A Gaussian process on groups of features; measures what promises the largest expected improvement.

    Jones, Schonlau, Welch 1998 (EGO); path features: White et al. 2021. The process is fitted anew, hyper-parameters
    included, before every query. In a small space every architecture is a candidate, in a large one random
    architectures and mutations of the best.

    Raises:
        InputError: ``candidates=scan`` in a space of more than 1,000,000 sequences.
    """

    settings_type = GPSettings
    learns_at_once = True
    informed = True

    def __init__(
        self, space: SearchSpace, problem: Problem | Objective, settings: GPSettings, *, seed: int, budget: int
    ) -> None:
        super().__init__(
            space,
            problem,
            settings,
            seed=seed,
            budget=budget,
            initial=settings.initial,
            batch=settings.batch,
            normalisation=settings.normalisation,
        )
        self.options = settings
        require_scannable(settings.candidates, space)

    def candidates(self, ranking: list[Architecture], turn: Turn) -> Candidates:
        """All of a small space, or mutations of the best and random ones."""
        options = self.options
        return Candidates(
            self.space,
            GROUPS[options.encoding],
            ranking[: options.parents],
            turn.known,
            turn.rng,
            kind=options.candidates,
            random=options.random,
            mutations=options.mutations,
            changes=options.changes,
            priors=self.priors,
        )

    def fitted(
        self, architectures: list[Architecture], targets: NDArray[np.float64], _: np.random.Generator
    ) -> Beliefs:
        """The process."""
        from naopt.latent.features import together
        from naopt.latent.gaussian_process import GaussianProcess

        linear = 0 if self.priors is None else len(self.priors)
        product = together(self._described(architectures[:1]))
        groups = self._groups(architectures)
        process = GaussianProcess(self.options.kernel, linear=linear, product=product).fit(groups, targets)
        return Beliefs(process, architectures, groups, targets)

    def predicts(self, model: Beliefs, candidates: Candidates) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Posterior means and deviations."""
        mean, variance = candidates.normal(model.process, model.architectures)
        return mean, np.sqrt(variance)

    def ranked(self, predicted: Prediction, rng: np.random.Generator) -> NDArray[np.int64]:
        """By the acquisition value."""
        return predicted.ranked(self.options.acquisition, rng, self.options.bound_weight)

    def choose(self, candidates: Candidates, turn: Turn) -> list[Proposal]:
        """One after the other, each as if what is pending and those before it had turned out as predicted."""
        learned = self.learned(turn)
        beliefs = learned.model
        self.log["noise"] = beliefs.process.noise
        if self.priors is not None:
            self.log |= self.priors.weights(beliefs.process.shares())
        if turn.pending:
            groups = self._groups(turn.pending)
            beliefs = beliefs.believing(turn.pending, groups, beliefs.process.predict(groups)[0])
        left = np.arange(len(candidates))
        if self.priors is not None and self.priors.slow:
            guessed = Prediction(*self.predicts(beliefs, candidates), float(beliefs.targets.max()))
            left = np.sort(self.ranked(guessed, turn.rng)[: self.priors.looks(turn.wanted)])
            self.look_at(candidates, left)
        chosen: list[Proposal] = []
        while len(left) and len(chosen) < turn.wanted:
            mean, deviation = self.predicts(beliefs, candidates)
            best = float(beliefs.targets.max())
            at = int(left[self._first(Prediction(mean[left], deviation[left], best), left, candidates, turn.rng)])
            (predicted,) = self.in_units(mean[[at]], learned.targets)
            chosen.append(candidates.proposal(at, predicted))
            left = left[left != at]
            if len(chosen) < turn.wanted:
                known = [candidates.architecture(at)]
                beliefs = beliefs.believing(known, self._groups(known), mean[[at]])
        return chosen

    def _first(
        self, predicted: Prediction, left: NDArray[np.int64], candidates: Candidates, rng: np.random.Generator
    ) -> int:
        """The place among those ``left`` of the one to measure.

        Expected improvements are taken times the probability of being measurable; by another acquisition the first is
        taken that is not unlikely to be.
        """
        options = self.options
        values = predicted.valued(options.acquisition, rng, options.bound_weight)
        order = predicted.ordered(values)
        if options.acquisition == "ei":
            return self.feasible.first(order, values, lambda place: candidates.architecture(int(left[place])))
        unlikely = Unlikely(self.feasible)
        places = (place for place in order.tolist() if candidates.architecture(int(left[place])) not in unlikely)
        return next(places, int(order[0]))

    def _described(self, architectures: Sequence[Architecture]) -> dict[str, NDArray[np.float64]]:
        from naopt.latent.encoding import encoded

        return encoded(self.space, architectures, GROUPS[self.options.encoding])

    def _groups(self, architectures: Sequence[Architecture]) -> list[NDArray[np.float64]]:
        groups = list(self._described(architectures).values())
        return groups if self.priors is None else [*groups, *self.priors.groups(self.priors(architectures))]


class Beliefs:
    """A process and what it was fitted to.

    Args:
        process: fitted to what follows.
        architectures: n of them.
        groups: their features, each ``(n, columns)``.
        targets: ``(n,)``.
    """

    def __init__(
        self,
        process: GaussianProcess,
        architectures: Sequence[Architecture],
        groups: list[NDArray[np.float64]],
        targets: NDArray[np.float64],
    ) -> None:
        self.process, self.architectures, self.targets, self._groups = process, architectures, targets, groups

    def believing(
        self, architectures: Sequence[Architecture], groups: list[NDArray[np.float64]], means: NDArray[np.float64]
    ) -> Beliefs:
        """The process after it was told ``m`` more targets, with the same parameters."""
        both = [np.concatenate(pair) for pair in zip(self._groups, groups, strict=True)]
        told = [*self.architectures, *architectures]
        targets = np.append(self.targets, means)
        return Beliefs(self.process.unfitted().fit(both, targets, self.process.parameters), told, both, targets)
