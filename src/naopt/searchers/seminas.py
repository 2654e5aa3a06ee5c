"""SemiNAS (Luo et al. 2020): NAO whose predictor also labels architectures that nobody measured."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from naopt.latent.settings import LatentSettings
from naopt.problem import Objective, Problem
from naopt.searchers.base import Known, Proposal, of_budget, sample_new, searchers
from naopt.searchers.candidates import FEWEST_SCORES
from naopt.searchers.latent_search import LatentSearcher
from naopt.spaces import Architecture, SearchSpace

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from naopt.latent.targets import Targets

_OF_POOL = 2

_PUBLISHED: dict[str, Any] = {
    "initial_share": 0.55,
    "round_share": 0.15,
    "pseudo_labelled": 10_000,
    "repeats": 10,
    "seeds": 100,
    "joint_epochs": 500,
    "first_step": 1.0,
    "step_growth": 1.0,
    "steps": 100,
    "scale": "raw",
    "choose": "first",
    "form": "given",
    "tokens_per_step": 1,
    "embedding_size": 64,
    "hidden_size": 64,
    "dropout": 0.1,
    "pooling": "mean-normalised",
    "predictor_layers": (16, 64),
    "ensemble": 1,
    "bootstrap": False,
    "attention": "bilinear",
    "decoder_positions": False,
    "normalisation": "standard",
    "trade_off": 0.8,
    "pretraining_steps": 0,
    "unlabelled": 0,
    "epochs": 1000,
    "min_steps": 1,
    "max_steps": None,
    "batch_size": 100,
    "learning_rate": 0.001,
    "schedule": "constant",
    "held_out": 0.0,
}


class SemiNASSettings(LatentSettings):
    """Settings of SemiNAS and of its latent model. Shares are of the budget; counts take precedence over them.

    ``preset=published`` holds those of the authors' program for NAS-Bench-101: with a budget of 2,000 it measures 1,100
    random architectures and then three times 300.
    """

    presets: ClassVar[dict[str, dict[str, Any]]] = {"default": {}, "published": _PUBLISHED}

    preset: Literal["default", "published"] = "default"  # type: ignore[assignment]
    max_steps: int | None = Field(100, ge=1)
    """Most steps of the optimiser in each of the two fits of a round, whatever the epochs say."""

    # Rounds.
    initial: int | None = Field(None, ge=1)
    """n: random architectures before the first fit."""
    initial_share: float = Field(0.2, gt=0, le=1)
    """The same as a share of the budget (published: 1,100 of 2,000)."""
    new_per_round: int | None = Field(None, ge=1)
    """Architectures that a round asks for."""
    round_share: float = Field(0.1, gt=0, le=1)
    """The same as a share of the budget (published: 300 of 2,000)."""

    # Labels of one's own.
    pseudo_labelled: int = Field(1000, ge=0)
    """m: random architectures that the predictor labels in each round (published: 10,000). They cost no query."""
    repeats: int = Field(10, ge=1)
    """How often each measured architecture stands beside those in the second fit (published: 10)."""
    joint_epochs: int = Field(40, ge=1)
    """Passes of the second fit, on both; ``epochs`` are those of the first, on what was measured."""

    # Ascent.
    seeds: int = Field(50, ge=1)
    """k: the best of both, by measured or predicted score, from which ascent starts (published: 100)."""
    first_step: float = Field(0.25, gt=0)
    """The smallest step (published: 1)."""
    step_growth: float = Field(0.5, ge=0)
    """By how much each further step is larger (published: 1)."""
    steps: int = Field(8, ge=1)
    """How many steps are tried, each from the same embedding (published: 100)."""
    scale: Literal["raw", "unit"] = "unit"
    """Whether steps multiply the gradient itself (published) or one of unit length."""
    choose: Literal["predicted", "first"] = "predicted"
    """Of the new architectures that were decoded, measure those that are predicted best, encoded anew, or those of the
    smallest steps (published)."""
    device: str = "cpu"


@dataclass(frozen=True, slots=True)
class FoundLabels:
    """What ascents found.

    Attributes:
        parents: new architectures in order of discovery, each with the seed that it is not itself.
        predicted: targets of them ``(n,)``.
        targets: what turns these into scores.
        log: of both fits.
        started: when the ascents did, by the performance counter.
    """

    parents: dict[Architecture, Architecture | None]
    predicted: NDArray[np.float64]
    targets: Targets
    log: dict[str, Any]
    started: float


@searchers.register("seminas")
class SemiNASSearcher(LatentSearcher[FoundLabels]):
    """SemiNAS: fit on what was measured, label random architectures, fit on both, climb from the best of both.

    Luo, Tan, Wang, Qin, Chen, Liu 2020, "Semi-supervised neural architecture search", Algorithm 1.

    Departures, in all presets: targets by what was measured (the program takes mean and deviation of the whole
    benchmark); all random architectures count as queries; pseudo-labelled ones are drawn from the space, not from a
    list without isomorphic ones; architectures are compared as the space compares them; short rounds are filled up
    with random ones (origin ``refill``); the second fit starts where the first one started and not where it ended; one
    LSTM reads forwards only, and there are no residual connections. An architecture with a predicted label that decodes
    to itself is new, and may be measured (origin ``pseudo-label``).

    Diverged architectures count as the worst score; what hardly can be measured is passed over.
    """

    settings_type = SemiNASSettings

    def __init__(
        self, space: SearchSpace, problem: Problem | Objective, settings: SemiNASSettings, *, seed: int, budget: int
    ) -> None:
        super().__init__(
            space,
            problem,
            settings,
            seed=seed,
            budget=budget,
            initial=of_budget(settings.initial, settings.initial_share, budget, FEWEST_SCORES),
            new_per_round=of_budget(settings.new_per_round, settings.round_share, budget),
            device=settings.device,
        )
        self.options = settings

    def search(
        self, architectures: list[Architecture], scores: NDArray[np.float64], told: int, limit: int | None
    ) -> FoundLabels:
        """Steps 1 to 5: both fits, and ascents from the best of both."""
        from naopt.latent.targets import Targets

        targets = Targets.fit(scores, self.options.normalisation)
        seen = {architecture for architecture, _ in self.history[:told]}
        rng = np.random.default_rng([self.seed, told, _OF_POOL])
        pool, labels, log = self._labelled_pool(architectures, targets.transform(scores), seen, rng)
        started = time.perf_counter()
        order = np.argsort(-labels, kind="stable")[: self.options.seeds]
        found = self._climb([pool[index] for index in order], seen, limit)
        rows = list(found)
        return FoundLabels(found, self.model.predict(rows) if rows else np.empty(0), targets, log, started)

    def limit(self, wanted: int) -> int | None:
        """Those of the smallest steps are found first."""
        return wanted if self.options.choose == "first" else None

    def choose(self, found: FoundLabels, known: Known, wanted: int) -> list[Proposal]:
        """The best predicted, or those of the smallest steps."""
        rows = list(found.parents)
        kept = np.arange(len(rows))
        if self.options.choose == "predicted":
            kept = np.argsort(-found.predicted, kind="stable")
        sign = self.objective.sign
        values, parents = sign * found.targets.inverse(found.predicted), found.parents
        return [
            Proposal(rows[i], "ascent" if parents[rows[i]] else "pseudo-label", float(values[i]), parents[rows[i]])
            for i in [i for i in kept.tolist() if rows[i] not in known][:wanted]
        ]

    def complete(self, found: FoundLabels, chosen: list[Proposal]) -> list[Proposal]:
        """Adds counts."""
        self._log = dict(found.log)
        for origin in ("ascent", "pseudo-label", "refill"):
            self._log[f"from_{origin}"] = sum(proposal.origin == origin for proposal in chosen)
        self._log |= {"decoded_new": len(found.parents), "ascent_seconds": time.perf_counter() - found.started}
        return chosen

    def _labelled_pool(
        self,
        architectures: list[Architecture],
        targets: NDArray[np.float64],
        seen: set[Architecture],
        rng: np.random.Generator,
    ) -> tuple[list[Architecture], NDArray[np.float64], dict[str, Any]]:
        """Steps 1 to 3: all architectures with a label, measured ones first, the labels as targets ``(n,)``, a log.

        Afterwards the model is fitted to both.
        """
        options = self.options
        given = {"normalisation": "standard"}  # The targets are normalised already, by what was measured alone.
        self.model.settings = options.model_copy(update=given)
        log: dict[str, Any] = dict(self.model.fit(architectures, targets))
        others = sample_new(self.space, seen, options.pseudo_labelled, rng)
        if not others:
            return architectures, targets, log
        labels = self.model.predict(others)
        self.model.settings = options.model_copy(update=given | {"epochs": options.joint_epochs, "held_out": 0.0})
        joint = self.model.fit(
            [*architectures * options.repeats, *others], np.concatenate([np.tile(targets, options.repeats), labels])
        )
        log |= {f"joint_{name}": value for name, value in joint.items()} | {"pseudo_labelled": len(others)}
        return architectures + others, np.concatenate([targets, labels]), log

    def _climb(
        self, seeds: list[Architecture], seen: set[Architecture], limit: int | None
    ) -> dict[Architecture, Architecture | None]:
        """Step 5: new architectures in order of discovery, each with the seed that it is not itself."""
        from naopt.latent import GradientAscent

        options = self.options
        ascent = GradientAscent(options.first_step, options.step_growth, options.steps, options.scale)
        found: dict[Architecture, Architecture | None] = {}
        for _, moved in ascent.path(self.model, self.model.encode(seeds)):
            for seed, tokens in zip(seeds, self.model.decode(moved), strict=True):
                if self.space.contains(tokens):
                    architecture = self.space.architecture(tokens)
                    if architecture not in seen:
                        found.setdefault(architecture, None if architecture == seed else seed)
            if limit is not None and len(found) >= limit:
                break
        return found
