"""GBDT-NAS (Luo et al. 2020): boosted trees predict, the best predictions are measured, again and again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

import numpy as np
from pydantic import Field

from naopt.configuration import PresetSettings
from naopt.problem import Objective, Problem
from naopt.searchers.base import of_budget, searchers
from naopt.searchers.candidates import CandidateKind, Candidates, require_scannable
from naopt.searchers.predictor import COLUMNS, Encoding, Prediction, PredictorSearcher, Turn
from naopt.spaces import Architecture, SearchSpace

if TYPE_CHECKING:
    from numpy.typing import NDArray

_PUBLISHED: dict[str, Any] = {
    "initial": 1000,
    "batch": 1000,
    "encoding": "tokens",
    "candidates": "scan",
    "trees": 100,
    "leaves": 31,
    "depth": None,
    "rows": 0.8,
    "columns": 0.9,
    "normalisation": "standard",
}


class BoostedTreesSettings(PresetSettings):
    """Settings of GBDT-NAS; ``preset=published`` holds those of the authors' program for NAS-Bench-101."""

    presets: ClassVar[dict[str, dict[str, Any]]] = {"default": {}, "published": _PUBLISHED}

    preset: Literal["default", "published"] = "default"
    initial: int | None = Field(None, ge=1)
    """n: random architectures before the first fit (published: 1,000 of a budget of 2,000)."""
    initial_share: float = Field(0.15, gt=0, le=1)
    """The same as a share of the budget."""
    batch: int | None = Field(None, ge=1)
    """k: architectures of one round (published: 1,000, one round)."""
    round_share: float = Field(1 / 15, gt=0, le=1)
    """The same as a share of the budget."""
    encoding: Encoding = "all"
    """What the trees see: one-hot tokens (published), paths from input to output, both, these and sizes, or all that
    ``nao`` embeds. Generic positions have tokens and numbers only."""
    candidates: CandidateKind = "auto"
    """All architectures (``scan``, published), random ones and mutations of the best (``local``), or all where the
    space has at most 100,000 sequences."""
    random: int = Field(300, ge=0)
    """Random candidates of a round, if local."""
    mutations: int = Field(700, ge=1)
    """Mutations of the best, if local."""
    parents: int = Field(20, ge=1)
    """The best so many architectures are mutated in turn."""
    changes: int = Field(2, ge=1)
    """Most mutations in a row from a parent to a candidate."""
    trees: int = Field(150, ge=1)
    """Boosting rounds (published: 100)."""
    learning_rate: float = Field(0.05, gt=0, le=1)
    """Shrinkage of each tree (published: 0.05)."""
    depth: int | None = Field(5, ge=1)
    """Most splits on a way down; no limit if unset (published)."""
    leaves: int | None = Field(None, ge=2)
    """Most leaves of a tree (published: 31); no limit if unset."""
    rows: float = Field(0.7, gt=0, le=1)
    """Share of the architectures that each tree is fitted on (published: 0.8, drawn anew every 5 trees)."""
    columns: float = Field(0.3, gt=0, le=1)
    """Share of the features that a split chooses among (published: 0.9, drawn for a whole tree)."""
    normalisation: Literal["rank", "standard"] = "rank"
    """Targets: normal scores of the ranks, or zero mean and unit variance."""


class FittedTrees(Protocol):
    """Trees that were fitted."""

    def predict(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Targets ``(n,)`` of features ``(n, columns)``."""


@searchers.register("boosted-trees")
class BoostedTreesSearcher(PredictorSearcher[Candidates, "FittedTrees"]):
    """GBDT-NAS: random architectures, then rounds of the best predictions of gradient-boosted trees.

    Luo, Tan, Wang, Qin, Chen, Liu 2020, "Neural architecture search with GBDT", Algorithm 1, without the pruning of
    the space by SHAP values (GBDT-NAS-3S).

    Departures: scikit-learn's gradient boosting in place of LightGBM; targets by what was measured, while the program
    takes the mean and deviation of the whole table; every random architecture counts as a query. The default goes in
    more and smaller rounds, sees paths, sizes and neighbourhoods beside tokens, and learns normal scores of ranks.

    Raises:
        InputError: ``candidates=scan`` in a space of more than 1,000,000 sequences.
    """

    settings_type = BoostedTreesSettings
    informed = True

    def __init__(
        self,
        space: SearchSpace,
        problem: Problem | Objective,
        settings: BoostedTreesSettings,
        *,
        seed: int,
        budget: int,
    ) -> None:
        super().__init__(
            space,
            problem,
            settings,
            seed=seed,
            budget=budget,
            initial=of_budget(settings.initial, settings.initial_share, budget, 2),
            batch=of_budget(settings.batch, settings.round_share, budget),
            normalisation=settings.normalisation,
        )
        self.options = settings
        require_scannable(settings.candidates, space)

    def candidates(self, ranking: list[Architecture], turn: Turn) -> Candidates:
        """All of a small space, or mutations of the best and random ones."""
        options = self.options
        return Candidates(
            self.space,
            COLUMNS[options.encoding],
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
        self, architectures: list[Architecture], targets: NDArray[np.float64], rng: np.random.Generator
    ) -> FittedTrees:
        """The trees."""
        from naopt.latent.baselines import BoostedTrees
        from naopt.latent.encoding import encoded

        options = self.options
        boosting = BoostedTrees(
            options.trees, options.learning_rate, options.depth, options.leaves, options.rows, options.columns
        )
        groups = list(encoded(self.space, architectures, COLUMNS[options.encoding]).values())
        groups += [] if self.priors is None else [self.priors(architectures)]
        trees: FittedTrees = boosting.fit(np.concatenate(groups, axis=1), targets, int(rng.integers(2**31)))
        return trees

    def predicts(self, model: FittedTrees, candidates: Candidates) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Predictions, taken for certain."""

        def predict(groups: list[NDArray[np.float64]]) -> tuple[NDArray[np.float64], ...]:
            return (model.predict(np.concatenate(groups, axis=1).astype(np.float32)),)

        (mean,) = candidates.predict(predict)
        return mean, np.zeros_like(mean)

    def ranked(self, predicted: Prediction, rng: np.random.Generator) -> NDArray[np.int64]:
        """The best predictions first, equal ones in random order."""
        ties = rng.permutation(len(predicted.mean))
        return ties[np.argsort(-predicted.mean[ties], kind="stable")]
