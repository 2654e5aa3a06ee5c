"""REINFORCE: a controller learns to write architectures (Zoph & Le 2017)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field, model_validator

from naopt.latent.threads import one_torch_thread
from naopt.measurement import Measurement
from naopt.problem import Objective, Problem
from naopt.searchers.base import searchers
from naopt.searchers.policy import Learner, PolicySearcher, PolicySettings
from naopt.spaces import Architecture, SearchSpace, Tokens

if TYPE_CHECKING:
    from torch import Tensor

    from naopt.latent.controller import Controller
    from naopt.latent.controller_memory import ArchitectureMemory

_OF_MEMORY = 1
"""Sets the memory's randomness apart from that of proposals."""


class ReinforceSettings(PolicySettings):
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
    reward: Literal["standard", "raw"] = "standard"
    """Rewards in standard deviations of all scores so far, or the scores themselves."""
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
class ReinforceSearcher(PolicySearcher):
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
        self.options: ReinforceSettings = settings
        self._learner: Learner | None = None
        self._memory: ArchitectureMemory | None = None

    def round_log(self) -> dict[str, Any]:
        """Loss of the latest step, the ``baseline`` (in the metric's unit), and how many ``draws`` gave the round.

        With a memory also its ``buffer_loss``, unweighted.
        """
        return self.log

    @property
    def learner(self) -> Learner:
        """What learns; as far as it has learned."""
        if self._learner is None:
            standard = self.options.reward == "standard"
            self._learner = Learner(self.space, self.options, self.seed, is_standard=standard)
        return self._learner

    @property
    def controller(self) -> Controller:
        """The controller, having learned from every whole batch of the history."""
        self.catch_up()
        return self.learner.controller

    def writer(self, pending: Sequence[Architecture]) -> Controller:  # noqa: ARG002
        """The controller."""
        return self.learner.controller

    @one_torch_thread()
    def learn(self, told: list[tuple[Architecture, Measurement]]) -> None:
        """One step on the measurements among ``told`` that have a score."""
        scored = [(a.tokens, s) for a, m in told if (s := self.objective.score(m)) is not None]
        if not scored:
            return
        written = [tokens for tokens, _ in scored]
        log: dict[str, Any] = {}

        def remembered() -> Tensor | None:
            loss = self._remember(self.learner.controller, written)
            if loss is None:
                return None
            log["buffer_loss"] = loss.item()
            return self.options.buffer_weight * loss

        loss = self.learner.step(written, [score for _, score in scored], remembered)
        self.log = {"loss": loss, "baseline": self.objective.sign * self.learner.baseline, **log}

    def _remember(self, controller: Controller, written: list[Tokens]) -> Tensor | None:
        """The memory's loss, once it holds what was written; ``None`` without a memory."""
        if not self.options.buffer:
            return None
        from naopt.latent.controller import LSTMController
        from naopt.latent.controller_memory import ArchitectureMemory, memory_loss

        assert isinstance(controller, LSTMController)
        if self._memory is None:
            self._memory = ArchitectureMemory(self.options.buffer)
        rng = np.random.default_rng([self.seed, self.learned, _OF_MEMORY])
        self._memory.add(written, rng)
        return memory_loss(controller, self._memory.draw(self.options.buffer_batch, rng))
