"""BANANAS (White, Neiswanger, Savani 2021): Bayesian optimisation with an ensemble of neural predictors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from naopt.configuration import PresetSettings
from naopt.problem import Objective, Problem
from naopt.searchers.base import Known, searchers
from naopt.searchers.candidates import Mutants, mutants
from naopt.searchers.ensemble import EnsembleSearcher
from naopt.searchers.predictor import COLUMNS, Acquisition, Encoding, Prediction, Turn
from naopt.spaces import Architecture, SearchSpace

if TYPE_CHECKING:
    from numpy.typing import NDArray

_PUBLISHED: dict[str, Any] = {
    "candidates": 100,
    "parents": 1,
    "encoding": "paths",
    "normalisation": "standard",
}


class BananasSettings(PresetSettings):
    """Settings of BANANAS; ``preset=published`` holds those of the authors' program (naszilla)."""

    presets: ClassVar[dict[str, dict[str, Any]]] = {"default": {}, "published": _PUBLISHED}

    preset: Literal["default", "published"] = "default"
    initial: int = Field(10, ge=1)
    """Random architectures before the first fit (published: 10)."""
    batch: int = Field(10, ge=1)
    """k: architectures of one round (published: 10)."""
    candidates: int = Field(200, ge=1)
    """Mutations of the best, among which a round chooses."""
    parents: int = Field(10, ge=1)
    """The best so many architectures are mutated in turn; where they have no new mutation left, so are the next."""
    changes: int = Field(1, ge=1)
    """Most mutations in a row from a parent to a candidate (published: 1)."""
    encoding: Encoding = "all"
    """What the ensemble sees: paths from input to output (published), one-hot tokens, both, these and sizes, or all
    that ``nao`` embeds. Generic positions have tokens and numbers only."""
    most_paths: int | None = Field(None, ge=1)
    """Only the most frequent so many paths (truncation, section 3); all of the at most 1,024 if unset."""
    acquisition: Acquisition = "thompson"
    """Independent Thompson sampling (published), upper confidence bound, expected or probable improvement, or the mean
    alone."""
    normalisation: Literal["rank", "standard"] = "rank"
    """Targets: normal scores of the ranks, or zero mean and unit variance."""
    members: int = Field(5, ge=2)
    """Perceptrons of the ensemble (published: 5)."""
    layers: int = Field(10, ge=1)
    """Hidden layers of each (published: 10)."""
    width: int = Field(20, ge=1)
    """Units of each hidden layer (published: 20)."""
    loss: Literal["mae", "mse"] = "mae"
    """Absolute (published) or squared error."""
    epochs: int = Field(150, ge=1)
    """Passes over the measured architectures in one fit (published: 150)."""
    batch_size: int = Field(32, ge=1)
    """Architectures of one step (published: 32)."""
    learning_rate: float = Field(0.01, gt=0)
    """Of Adam (published: 0.01)."""
    bound_weight: float = Field(0.5, ge=0)
    """Deviations that ``acquisition=ucb`` adds to the mean."""


@searchers.register("bananas")
class BananasSearcher(EnsembleSearcher):
    """BANANAS: path encoding, ensemble of perceptrons, independent Thompson sampling, mutations of the best.

    White, Neiswanger, Savani 2021, "BANANAS: Bayesian optimization with neural architectures for neural architecture
    search", Algorithm 1. Mean and deviation of the members' predictions are taken for a normal distribution.

    Departures: paths leave out operations that pass their input on, and are of the canonical form; the default learns
    normal scores of ranks, sees tokens, sizes and neighbourhoods beside the paths, mutates the ten best in turn, and
    makes twice as many candidates.
    """

    settings_type = BananasSettings
    informed = True

    def __init__(
        self, space: SearchSpace, problem: Problem | Objective, settings: BananasSettings, *, seed: int, budget: int
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

    def candidates(self, ranking: list[Architecture], turn: Turn) -> Mutants:
        """New mutants of the best; of further ones where these have too few."""
        options = self.options
        found: dict[Architecture, Architecture] = {}
        for at in range(0, len(ranking), options.parents):
            parents, missing = ranking[at : at + options.parents], options.candidates - len(found)
            found |= mutants(self.space, parents, missing, Known(turn.known, found), turn.rng, options.changes)
            if len(found) == options.candidates:
                break
        return Mutants(found)

    def ranked(self, predicted: Prediction, rng: np.random.Generator) -> NDArray[np.int64]:
        """By the acquisition value."""
        self.log["mean_deviation"] = float(predicted.deviation.mean())
        return predicted.ranked(self.options.acquisition, rng, self.options.bound_weight)

    def rows(self, architectures: list[Architecture]) -> NDArray[np.float64]:
        """The groups of features of the setting ``encoding``."""
        from naopt.latent.encoding import encoded

        groups = encoded(self.space, architectures, COLUMNS[self.options.encoding])
        if "paths" in groups:
            groups["paths"] = groups["paths"][:, : self.options.most_paths]
        known = [] if self.priors is None else [self.priors(architectures)]
        return np.concatenate([*groups.values(), *known], axis=1)
