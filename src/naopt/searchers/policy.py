"""What searchers share whose controller learns by policy gradient: its settings, and a controller that learns."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from naopt.configuration import PresetSettings
from naopt.latent.threads import one_torch_thread
from naopt.measurement import Measurement
from naopt.metrics.scale import exponent, scaled, unscaled
from naopt.problem import Objective, Problem
from naopt.searchers.base import Known, Proposal, Searcher
from naopt.searchers.feasible import Feasible, Unlikely, sample_likely
from naopt.spaces import Architecture, SearchSpace, Tokens

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor
    from torch.optim import Optimizer

    from naopt.latent.controller import Controller

_MOST = 1e12
"""Of a raw reward above or below the baseline: the norm of a larger gradient is infinite in single precision."""


class PolicySettings(PresetSettings):
    """Settings of a controller and of how it learns."""

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
    clip_norm: float = Field(5.0, gt=0)
    """Bound of the gradient's global norm."""
    batch: int = Field(1, ge=1)
    """Architectures of one round and of one step of the optimiser."""
    attempts: int = Field(200, ge=1)
    """Draws in a row without a new architecture after which a uniform random one is taken."""


class Learner:
    """A controller, its optimiser and its baseline.

    One step on each batch of rewards:

        loss = -mean((R - b) log p(x)) - beta mean(H),  b: moving average of the rewards, debiased

    Args:
        space: of the architectures.
        options: settings.
        seed: of the controller's weights.
        is_standard: whether rewards count in standard deviations of all rewards so far.

    Attributes:
        controller: the distribution that learns.
        baseline: the latest b; 0 before the first step.
    """

    def __init__(self, space: SearchSpace, options: PolicySettings, seed: int, *, is_standard: bool) -> None:
        from torch.optim import SGD, Adam

        from naopt.latent.controller import build_controller

        self.options, self._is_standard = options, is_standard
        self.controller: Controller = build_controller(space, options.policy, options.hidden_size, options.layers, seed)
        kind = Adam if options.optimiser == "adam" else SGD
        self._optimiser: Optimizer = kind(self.controller.parameters(), lr=options.learning_rate)
        self._rewards: list[float] = []
        self._average = self._weight = 0.0
        self.baseline = 0.0

    @one_torch_thread()
    def step(
        self, tokens: Sequence[Tokens], rewards: Sequence[float], extra: Callable[[], Tensor | None] = lambda: None
    ) -> float:
        """One step; the loss.

        Args:
            tokens: of n >= 1 architectures.
            rewards: theirs, larger is better.
            extra: another term of the loss, if any.
        """
        import torch

        from naopt.latent.controller import reinforce_loss

        decay = self.options.baseline_decay
        for reward in rewards:
            self._rewards.append(reward)
            self._average = decay * self._average + (1 - decay) * reward
            self._weight = decay * self._weight + (1 - decay)
        self.baseline = float(np.nan_to_num(self._average / self._weight))
        advantages = self._advantages(rewards, self.baseline)
        loss = reinforce_loss(self.controller, tokens, advantages, self.options.entropy_weight)
        more = extra()
        if more is not None:
            loss = loss + more
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.controller.parameters(), self.options.clip_norm)
        self._optimiser.step()
        return loss.item()

    def _advantages(self, rewards: Sequence[float], baseline: float) -> NDArray[np.float64]:
        """What rewards are above the baseline, in deviations of all rewards, or raw."""
        unit = exponent([*self._rewards, baseline])
        above = scaled(rewards, unit) - scaled(baseline, unit)
        if self._is_standard:
            spread = float(scaled(self._rewards, unit).std())
            if spread > 0:
                return above / spread
        return np.clip(unscaled(above, unit), -_MOST, _MOST)


class PolicySearcher(Searcher):
    """Proposes what a controller writes, and has it learn from whole batches of the history, in their order.

    No architecture is measured twice: one that was is drawn again, and so is what hardly can be measured
    (``Feasible``). Where ``attempts`` draws in a row gave nothing new a uniform random one takes its place (origin
    ``refill``).
    """

    options: PolicySettings

    def __init__(
        self, space: SearchSpace, problem: Problem | Objective, settings: PolicySettings, *, seed: int, budget: int
    ) -> None:
        super().__init__(space, problem, settings, seed=seed, budget=budget)
        self.feasible = Feasible(space)
        self.learned = 0
        self.log: dict[str, Any] = {}

    @abstractmethod
    def learn(self, told: list[tuple[Architecture, Measurement]]) -> None:
        """Takes one step on a batch of the history."""

    @abstractmethod
    def writer(self, pending: Sequence[Architecture]) -> Controller:
        """What writes in the next ``ask``."""

    def catch_up(self) -> None:
        """Learns from every whole batch of the history that was not learned from yet."""
        while self.learned + self.options.batch <= len(self.history):
            self.learn(self.history[self.learned : self.learned + self.options.batch])
            self.learned += self.options.batch

    @property
    def round_size(self) -> int:
        """The setting ``batch``."""
        return self.options.batch

    def round_log(self) -> dict[str, Any]:
        """What the latest step says of itself, and how many ``draws`` gave the round."""
        return self.log

    @one_torch_thread()
    def ask(self, count: int, pending: Sequence[Architecture] = ()) -> list[Proposal]:
        """The rest of a batch: new architectures that the controller writes; with something pending, ``count``."""
        self.catch_up()
        controller, rng, known = self.writer(pending), self.generator(pending=pending), Known(self.seen, pending)
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
        self.log["draws"] = draws
        return chosen
