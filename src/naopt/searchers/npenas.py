"""NPENAS (Wei et al. 2020): evolution in which a graph network picks among many mutants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from naopt.configuration import PresetSettings
from naopt.problem import Objective, Problem
from naopt.searchers.base import Known, searchers
from naopt.searchers.candidates import Mutants, mutants
from naopt.searchers.predictor import Prediction, PredictorSearcher, Turn
from naopt.spaces import Architecture, SearchSpace

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from naopt.latent.graph_network import FittedGraphPredictor

_PUBLISHED: dict[str, Any] = {"epochs": 300, "batch_size": 16, "candidates": 100, "normalisation": "standard"}


class NPENASSettings(PresetSettings):
    """Settings of NPENAS; ``np`` and ``bo`` hold those of the authors' program (NPENASv1) for its two variants."""

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "default": {},
        "np": _PUBLISHED,
        "bo": _PUBLISHED | {"epochs": 1000, "variant": "bo"},
    }

    preset: Literal["default", "np", "bo"] = "default"
    variant: Literal["np", "bo"] = "np"
    """Choose by the predicted score (NPENAS-NP), or by a draw from a predicted normal distribution (NPENAS-BO)."""
    initial: int = Field(10, ge=1)
    """Random architectures before the first fit (published: 10)."""
    batch: int = Field(10, ge=1)
    """Mutants of one round that are measured (published: 10)."""
    parents: int = Field(10, ge=1)
    """The best so many architectures, which are mutated in turn (published: 10)."""
    candidates: int = Field(200, ge=1)
    """Mutants of a round among which the network picks (published: 100)."""
    changes: int = Field(1, ge=1)
    """Most mutations in a row from a parent to a mutant."""
    layers: int = Field(3, ge=1)
    """Layers of the graph isomorphism network (published: 3)."""
    width: int = Field(32, ge=1)
    """Of each layer (published: 32)."""
    head: int = Field(16, ge=1)
    """Width of the hidden layer after the mean over vertices (published: 16)."""
    dropout: float = Field(0.1, ge=0, lt=1)
    """After that layer (published: 0.1)."""
    epochs: int = Field(120, ge=1)
    """Passes over the measured architectures in one fit (published: 300, and 1,000 for ``bo``)."""
    batch_size: int = Field(32, ge=1)
    """Architectures of one step (published: 16)."""
    learning_rate: float = Field(0.005, gt=0)
    """Of Adam at the first step; a cosine from there (published: 0.005)."""
    weight_decay: float = Field(1e-4, ge=0)
    """L2 coefficient (published: 0.0001)."""
    normalisation: Literal["rank", "standard"] = "rank"
    """Targets: normal scores of the ranks, or zero mean and unit variance."""


@searchers.register("npenas")
class NPENASSearcher(PredictorSearcher[Mutants, "FittedGraphPredictor"]):
    """NPENAS: many mutants of the best parents, of which a graph network picks those to measure.

    Wei, Niu, Tang, Wang, Hu, Liang 2020, "NPENAS: Neural predictor guided evolution for neural architecture search",
    Algorithm 1; the variants NP (a network that predicts scores) and BO (one that predicts a normal distribution, by
    Thompson sampling).

    Departures: the network also sums over what comes after a vertex, and has layer in place of batch normalisation and
    no sigmoid at its end; canonical forms. The default learns normal scores of ranks, and has more mutants and fewer
    epochs.
    """

    settings_type = NPENASSettings
    informed = True

    def __init__(
        self, space: SearchSpace, problem: Problem | Objective, settings: NPENASSettings, *, seed: int, budget: int
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
        """One generation: mutants of the parents; of further ones where these have too few."""
        options = self.options
        found = mutants(
            self.space, ranking[: options.parents], options.candidates, turn.known, turn.rng, options.changes
        )
        if len(found) < turn.wanted:
            missing = turn.wanted - len(found)
            found |= mutants(
                self.space, ranking[options.parents :], missing, Known(turn.known, found), turn.rng, options.changes
            )
        return Mutants(found)

    def fitted(
        self, architectures: list[Architecture], targets: NDArray[np.float64], rng: np.random.Generator
    ) -> FittedGraphPredictor:
        """The graph network."""
        from naopt.latent.graph_network import GraphPredictor

        options = self.options
        return GraphPredictor(
            options.layers,
            options.width,
            options.head,
            options.dropout,
            options.variant == "bo",
            options.epochs,
            options.batch_size,
            options.learning_rate,
            options.weight_decay,
        ).fit(self.space, architectures, targets, int(rng.integers(2**62)), self._known(architectures))

    def predicts(
        self, model: FittedGraphPredictor, candidates: Mutants
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """What the network says."""
        return model.predict(candidates.architectures, self._known(candidates.architectures))

    def _known(self, architectures: list[Architecture]) -> NDArray[np.float64] | None:
        return None if self.priors is None else self.priors(architectures)

    def ranked(self, predicted: Prediction, rng: np.random.Generator) -> NDArray[np.int64]:
        """By the mean (NP), or by a draw for each candidate (BO)."""
        return predicted.ranked("thompson" if self.options.variant == "bo" else "mean", rng)
