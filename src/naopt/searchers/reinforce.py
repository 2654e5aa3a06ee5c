"""REINFORCE: a controller learns to write architectures (Zoph & Le 2017)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field, model_validator

from naopt.configuration import PresetSettings
from naopt.latent.threads import one_torch_thread
from naopt.measurement import Measurement
from naopt.metrics.scale import exponent, scaled, unscaled
from naopt.problem import Objective, Problem
from naopt.searchers.base import Known, Proposal, Searcher, searchers
from naopt.searchers.feasible import Feasible, Unlikely, sample_likely
from naopt.spaces import Architecture, SearchSpace, Tokens

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor
    from torch.optim import Optimizer

    from naopt.latent.controller import Controller
    from naopt.latent.controller_memory import ArchitectureMemory

_OF_MEMORY = 1
"""Sets the memory's randomness apart from that of proposals."""
_MOST = 1e12
"""Of a raw reward above or below the baseline: the norm of a larger gradient is infinite in single precision."""


class ReinforceSettings(PresetSettings):
    """Settings of REINFORCE; presets hold the published ones."""

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "default": {},
        "zoph2017": {"hidden_size": 35, "layers": 2, "learning_rate": 6e-4, "entropy_weight": 0.0, "reward": "raw"},
        "nasbench101": {
            "policy": "independent",
            "optimiser": "sgd",
            "learning_rate": 0.1,
            "entropy_weight": 0.0,
            "reward": "raw",
        },
        "nasbench201": {"policy": "independent", "learning_rate": 0.01, "entropy_weight": 0.0, "reward": "raw"},
    }

    preset: Literal["default", "zoph2017", "nasbench101", "nasbench201"] = "default"
    policy: Literal["lstm", "independent"] = "lstm"
    """An LSTM that writes token by token, or one free logit for each choice of each position."""
    hidden_size: int = Field(64, ge=1)
    """Width of the LSTM and of its embeddings."""
    layers: int = Field(1, ge=1)
    """Layers of the LSTM."""
    optimiser: Literal["adam", "sgd"] = "adam"
    """Adam, or plain gradient steps."""
    learning_rate: float = Field(0.01, gt=0)
    """Of the optimiser."""
    baseline_decay: float = Field(0.9, ge=0, lt=1)
    """What the moving average of the rewards, which is the baseline, keeps at each new reward."""
    entropy_weight: float = Field(0.1, ge=0)
    """What a nat of the controller's entropy is worth, in the unit of the rewards; too little, and the controller
    soon insists on a few architectures."""
    reward: Literal["standard", "raw"] = "standard"
    """Rewards in standard deviations of all scores so far, or the scores themselves."""
    clip_norm: float = Field(5.0, gt=0)
    """Bound of the gradient's global norm."""
    batch: int = Field(1, ge=1)
    """Architectures of one round and of one step of the optimiser."""
    attempts: int = Field(200, ge=1)
    """Draws in a row without a new architecture after which a uniform random one is taken."""
    buffer: int = Field(0, ge=0)
    """M: architectures in the controller's memory, whose states have to decode back to them; 0 for none."""
    buffer_weight: float = Field(1.0, gt=0)
    """What a nat of the memory's loss counts, in the unit of the rewards."""
    buffer_batch: int = Field(32, ge=1)
    """Remembered architectures of one step of the optimiser."""

    @model_validator(mode="after")
    def _memory_needs_a_state(self) -> ReinforceSettings:
        if self.buffer and self.policy == "independent":
            raise ValueError("an independent policy has no state to remember with; buffer needs policy=lstm")
        return self


@searchers.register("reinforce")
class ReinforceSearcher(Searcher):
    """REINFORCE: a controller writes architectures and learns from their scores, by policy gradient with a baseline.

    Zoph & Le 2017, "Neural architecture search with reinforcement learning", section 3.2; with
    ``policy=independent`` the baseline of the NAS-Bench papers. Every choice is masked to those that are valid. One
    step of the optimiser for every ``batch`` measurements, in the order in which they were told:

        loss = -mean((R - b) log p(x)) - beta mean(H),  b: moving average of the rewards, debiased

    With a ``buffer`` the loss has another term, ``buffer_weight`` times that of the memory (Adam & Lorraine 2019;
    ``naopt.latent.controller_memory``).

    Departures: no architecture is measured twice (one that was is drawn again, and teaches nothing anew), so the
    gradient is that of a policy restricted to what is new, up to its normalisation; rewards are standardised
    unless ``reward=raw``; failed measurements give no reward, and what hardly can be measured (``Feasible``) is drawn
    again.

    Asked while others are pending it writes with the policy of this moment, and learns from results as they are told:
    some steps after they were written, without a correction for that. What no controller wrote (earlier searches)
    is learned from alike. What the controller knows follows from the history alone: a fresh searcher learns it
    again.
    """

    settings_type = ReinforceSettings

    def __init__(
        self, space: SearchSpace, problem: Problem | Objective, settings: ReinforceSettings, *, seed: int, budget: int
    ) -> None:
        super().__init__(space, problem, settings, seed=seed, budget=budget)
        self.options = settings
        self.feasible = Feasible(space)
        self._controller: Controller | None = None
        self._optimiser: Optimizer | None = None
        self._memory: ArchitectureMemory | None = None
        self._learned = 0
        self._rewards: list[float] = []
        self._average = self._weight = 0.0
        self._log: dict[str, Any] = {}

    def round_log(self) -> dict[str, Any]:
        """Loss of the latest step, the ``baseline`` (in the metric's unit), and how many ``draws`` gave the round.

        With a memory also its ``buffer_loss``, unweighted.
        """
        return self._log

    @property
    def controller(self) -> Controller:
        """The controller, having learned from every whole batch of the history."""
        from naopt.latent.controller import build_controller

        if self._controller is None:
            from torch.optim import SGD, Adam

            options = self.options
            self._controller = build_controller(
                self.space, options.policy, options.hidden_size, options.layers, self.seed
            )
            kind = Adam if options.optimiser == "adam" else SGD
            self._optimiser = kind(self._controller.parameters(), lr=options.learning_rate)
        while self._learned + self.options.batch <= len(self.history):
            self._learn(self._controller, self.history[self._learned : self._learned + self.options.batch])
            self._learned += self.options.batch
        return self._controller

    @property
    def round_size(self) -> int:
        """The setting ``batch``."""
        return self.options.batch

    @one_torch_thread()
    def ask(self, count: int, pending: Sequence[Architecture] = ()) -> list[Proposal]:
        """The rest of a batch: new architectures that the controller writes; with something pending, ``count``."""
        controller, rng, known = self.controller, self.generator(pending=pending), Known(self.seen, pending)
        left = self.options.batch - len(self.history) % self.options.batch
        wanted = count if pending else min(count, left)
        unlikely = Unlikely(self.feasible.learn(self.history))
        found: dict[Architecture, Proposal] = {}
        draws = misses = 0
        while len(found) < wanted and misses < self.options.attempts:
            # Few at first, since the first is mostly new; then many, since a single draw costs as much.
            some = min(self.options.attempts - misses, max(wanted - len(found), 4 * misses))
            for tokens in controller.sample(some, rng):
                draws += 1
                architecture = self.space.architecture(tokens)
                if architecture in known or architecture in found or architecture in unlikely:
                    misses += 1
                elif len(found) < wanted:
                    found[architecture] = Proposal(architecture, "controller")
                    misses = 0
        chosen = list(found.values())
        if len(chosen) < wanted:
            missing = wanted - len(chosen)
            others = sample_likely(self.space, Known(known, found), unlikely, missing, rng)
            chosen += [Proposal(a, "refill") for a in others]
        self._log["draws"] = draws
        return chosen

    @one_torch_thread()
    def _learn(self, controller: Controller, told: list[tuple[Architecture, Measurement]]) -> None:
        """One step on the measurements among ``told`` that have a score."""
        import torch

        from naopt.latent.controller import reinforce_loss

        scored = [(a.tokens, s) for a, m in told if (s := self.objective.score(m)) is not None]
        if not scored or self._optimiser is None:
            return
        decay = self.options.baseline_decay
        for _, score in scored:
            self._rewards.append(score)
            self._average = decay * self._average + (1 - decay) * score
            self._weight = decay * self._weight + (1 - decay)
        baseline = float(np.nan_to_num(self._average / self._weight))
        advantages = self._advantages([score for _, score in scored], baseline)
        loss = reinforce_loss(controller, [tokens for tokens, _ in scored], advantages, self.options.entropy_weight)
        remembered = self._remember(controller, [tokens for tokens, _ in scored])
        if remembered is not None:
            loss = loss + self.options.buffer_weight * remembered
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(controller.parameters(), self.options.clip_norm)
        self._optimiser.step()
        sign = 1 if self.objective.goal == "max" else -1
        self._log = {"loss": loss.item(), "baseline": sign * baseline}
        if remembered is not None:
            self._log["buffer_loss"] = remembered.item()

    def _remember(self, controller: Controller, written: list[Tokens]) -> Tensor | None:
        """The memory's loss, once it holds what was written; ``None`` without a memory."""
        if not self.options.buffer:
            return None
        from naopt.latent.controller import LSTMController
        from naopt.latent.controller_memory import ArchitectureMemory, memory_loss

        assert isinstance(controller, LSTMController)
        if self._memory is None:
            self._memory = ArchitectureMemory(self.options.buffer)
        rng = np.random.default_rng([self.seed, self._learned, _OF_MEMORY])
        self._memory.add(written, rng)
        return memory_loss(controller, self._memory.draw(self.options.buffer_batch, rng))

    def _advantages(self, scores: list[float], baseline: float) -> NDArray[np.float64]:
        """What rewards are above the baseline, in deviations of all rewards, or raw."""
        unit = exponent([*self._rewards, baseline])
        above = scaled(scores, unit) - scaled(baseline, unit)
        if self.options.reward != "raw":
            spread = float(scaled(self._rewards, unit).std())
            if spread > 0:
                return above / spread
        return np.clip(unscaled(above, unit), -_MOST, _MOST)
