"""What searchers have in common whose predictor is an ensemble of perceptrons."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

import numpy as np

from naopt.searchers.candidates import Mutants
from naopt.searchers.predictor import PredictorSearcher
from naopt.spaces import Architecture

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from naopt.latent.mlp_ensemble import FittedEnsemble


_ATTRIBUTES = ("members", "layers", "width", "loss", "epochs", "batch_size", "learning_rate")
"""Of an ``MLPEnsemble``, in its order; settings of the searcher have these names."""


class EnsembleSearcher(PredictorSearcher[Mutants, "FittedEnsemble"]):
    """Learns with an ``MLPEnsemble``, whose attributes are settings of the searcher."""

    @abstractmethod
    def rows(self, architectures: list[Architecture]) -> NDArray[np.float64]:
        """What the ensemble sees of architectures ``(n, d)``."""

    def fitted(
        self, architectures: list[Architecture], targets: NDArray[np.float64], rng: np.random.Generator
    ) -> FittedEnsemble:
        """The ensemble of perceptrons."""
        from naopt.latent.mlp_ensemble import MLPEnsemble

        return MLPEnsemble(*(getattr(self.settings, name) for name in _ATTRIBUTES)).fit(
            self.rows(architectures), targets, int(rng.integers(2**62))
        )

    def predicts(self, model: FittedEnsemble, candidates: Mutants) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean and deviation of the members."""
        predicted = model.predict(self.rows(candidates.architectures))
        return predicted.mean(axis=0), predicted.std(axis=0)
