"""Two-stage NAO (He, Hou, Dong, Feng, IJCNN 2023): a well spread training set, then a swarm in the latent space."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from naopt.latent.settings import TNAOLatentSettings
from naopt.metrics.scale import mean
from naopt.problem import Objective, Problem
from naopt.searchers.base import Known, Proposal, of_budget, searchers
from naopt.searchers.candidates import FEWEST_SCORES, scored
from naopt.searchers.latent_search import LatentSearcher
from naopt.spaces import Architecture, SearchSpace

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from naopt.latent.remapping import ScoredPoints


class TNAOSettings(TNAOLatentSettings):
    """Settings of the two stages and of the latent model. Shares are of the budget; counts take precedence over them.

    TNAO's abstract is all that is public: every figure here is ours. ``preset=two-stage`` separates training from
    search, as its title does; ``default`` fits again after every round.
    """

    presets: ClassVar[dict[str, dict[str, Any]]] = {"default": {}, "two-stage": {"fits": "once"}}

    preset: Literal["default", "two-stage"] = "default"  # type: ignore[assignment]

    # Stage 1 and rounds of stage 2.
    initial: int | None = Field(None, ge=1)
    """Architectures of the first stage, uniform from the whole space."""
    initial_share: float = Field(0.4, gt=0, le=1)
    """The same as a share of the budget."""
    new_per_round: int | None = Field(None, ge=1)
    """Architectures that a round of the second stage asks for: those of one search in the latent space."""
    round_share: float = Field(1 / 15, gt=0, le=1)
    """The same as a share of the budget."""
    fits: Literal["round", "once"] = "round"
    """Whether each round fits the model to all that was measured by then, or the first alone, to the first stage."""

    # Moves in the latent space.
    optimizer: Literal["swarm", "gradient"] = "swarm"
    """Competitive swarm, or gradient ascent as in NAO, from the same starts."""
    score: Literal["remapped", "raw"] = "remapped"
    """A point's score: the prediction for what it decodes to, encoded anew, or for the point itself."""
    snap: bool = False
    """Put a particle that moved on the embedding of the architecture that it decodes to."""
    particles: int = Field(100, ge=2)
    """Particles of the swarm, or starts of the ascent."""
    start: Literal["pool", "random", "normal"] = "pool"
    """Where particles start: half at the best measured architectures and the others at further measured ones, then at
    random ones; all at random ones; or normally distributed with mean and deviation of what was measured."""
    generations: int = Field(30, ge=0)
    """Generations of the swarm; each scores half as many points as there are particles."""
    phi: float | None = Field(None, ge=0)
    """Pull of the swarm's mean; if unset by the rule of Cheng & Jin: 0 up to 100 particles, rising with their logarithm
    beyond."""
    first_step: float = Field(0.2, gt=0)
    """Smallest step of gradient ascent."""
    step_growth: float = Field(0.2, ge=0)
    """By how much each further step is larger."""
    steps: int = Field(15, ge=1)
    """Steps of gradient ascent, each from the start. 15 of them score as many points as 30 generations."""
    scale: Literal["raw", "unit"] = "unit"
    """Whether steps of gradient ascent multiply the gradient itself or one of unit length."""
    device: str = "cpu"


@dataclass(frozen=True, slots=True)
class FoundPoints:
    """What a search in the latent space found.

    Attributes:
        points: that were scored.
        origin: of proposals from them.
        log: of the fit.
        started: when the search did, by the performance counter.
    """

    points: ScoredPoints
    origin: str
    log: dict[str, Any]
    started: float


@searchers.register("tnao")
class TNAOSearcher(LatentSearcher[FoundPoints]):
    """Two-stage NAO: learn a latent space from a uniform training set, then search it with a swarm.

    Stage 1 measures uniform architectures. In each round of stage 2 a Transformer auto-encoder is fitted to all that
    was measured, with a predictor that learns the order; a competitive swarm moves through its latent space, scored by
    what its particles decode to; the best architectures on the way that were not measured yet are proposed. What is
    missing is filled up with uniform ones (origin ``refill``).

    With ``fits=once`` the first stage alone trains the model, and the second searches a space that no longer changes:
    what it measures decides where the next swarm starts and what is known, and teaches the model nothing.

    Departures: the paper's text was not available, so all but these parts is ours; by default the model is fitted again
    each round, which ``preset=two-stage`` does not do. Diverged architectures count as the worst score; what
    hardly can be measured is passed over.
    """

    settings_type = TNAOSettings

    def __init__(
        self, space: SearchSpace, problem: Problem | Objective, settings: TNAOSettings, *, seed: int, budget: int
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
        self._trained: dict[str, Any] | None = None

    @property
    def keeps_round(self) -> bool:
        """With one fit: nothing that is told changes the model, so one swarm serves a whole round."""
        return self.options.fits == "once"

    def search(
        self, architectures: list[Architecture], scores: NDArray[np.float64], told: int, _: int | None
    ) -> FoundPoints:
        """Fits the model and moves through its space."""
        from naopt.latent.remapping import ScoredPoints

        options, rng = self.options, np.random.default_rng([self.seed, told])
        log = self._train() if self.keeps_round else dict(self.model.fit(architectures, scores))
        started = time.perf_counter()
        points = ScoredPoints(self.model, options.score)
        starts = self._starts(architectures, scores, rng)
        if options.optimizer == "swarm":
            self._swarm(points, starts, rng)
        else:
            self._climb(points, starts)
        return FoundPoints(points, "swarm" if options.optimizer == "swarm" else "ascent", log, started)

    def choose(self, found: FoundPoints, known: Known, wanted: int) -> list[Proposal]:
        """The best scored."""
        return [Proposal(c.architecture, found.origin) for c in found.points.candidates(wanted, known)]

    def complete(self, found: FoundPoints, chosen: list[Proposal]) -> list[Proposal]:
        """Adds predictions, and counts."""
        points, origin = found.points, found.origin
        predicted = self.model.predict([p.architecture for p in chosen]) if chosen else np.empty(0)
        sign = self.objective.sign
        self._log = found.log | {
            "points": points.points,
            "decoded": points.decoded,
            "valid": points.valid / max(1, points.decoded),
            "distinct": points.distinct,
            f"from_{origin}": sum(p.origin == origin for p in chosen),
            "from_refill": sum(p.origin == "refill" for p in chosen),
            "predicted_mean": sign * mean(predicted) if len(chosen) else None,
            "search_seconds": time.perf_counter() - found.started,
        }
        return [
            Proposal(p.architecture, p.origin, float(sign * value)) for p, value in zip(chosen, predicted, strict=True)
        ]

    def _train(self) -> dict[str, Any]:
        """Fits the model to the first stage, unless that was done; what that fit logged, its time only once.

        More than the first stage is taken only if too few of it could be measured. The training set follows from the
        history, so a search that was resumed trains on the same.
        """
        if self._trained is not None:
            return {name: value for name, value in self._trained.items() if name != "fit_seconds"}
        size = self.initial
        while len((training := scored(self.history[:size], self.objective))[1]) < FEWEST_SCORES:
            size += 1
        self._trained = dict(self.model.fit(*training))
        return self._trained

    def _starts(
        self, architectures: list[Architecture], scores: NDArray[np.float64], rng: np.random.Generator
    ) -> Tensor:
        """Where particles start, ``(particles, steps, hidden)``."""
        import torch

        from naopt.latent.remapping import unit_length

        options = self.options
        if options.start == "normal":
            states = self.model.encode(architectures)
            noise = rng.standard_normal((options.particles, *states.shape[1:]), dtype=np.float32)
            spread = states.std(dim=0, correction=0)
            return unit_length(states.mean(dim=0) + spread * torch.from_numpy(noise).to(states.device))
        chosen: list[Architecture] = []
        if options.start == "pool":
            order = np.argsort(-scores, kind="stable")
            best = order[: options.particles // 2]
            rest = rng.permutation(order[len(best) :])[: options.particles - len(best)]
            chosen = [architectures[i] for i in (*best, *rest)]
        chosen += [self.space.sample(rng) for _ in range(options.particles - len(chosen))]
        return self.model.encode(chosen)

    def _swarm(self, points: ScoredPoints, starts: Tensor, rng: np.random.Generator) -> None:
        import torch

        from naopt.latent.remapping import unit_length
        from naopt.latent.swarm import CompetitiveSwarm

        def tensor(positions: NDArray[np.floating[Any]]) -> Tensor:
            return torch.from_numpy(positions).to(starts.device)

        def project(positions: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
            states = unit_length(tensor(positions))
            moved: NDArray[np.floating[Any]] = (points.snap(states) if self.options.snap else states).cpu().numpy()
            return moved

        swarm = CompetitiveSwarm(self.options.generations, self.options.phi)
        swarm.maximise(starts.cpu().numpy(), lambda positions: points(tensor(positions)), rng, project)

    def _climb(self, points: ScoredPoints, starts: Tensor) -> None:
        from naopt.latent import GradientAscent

        options = self.options
        points(starts)
        ascent = GradientAscent(options.first_step, options.step_growth, options.steps, options.scale)
        for _, moved in ascent.path(self.model, starts):
            points(points.snap(moved) if options.snap else moved)
