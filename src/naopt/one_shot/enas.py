"""ENAS: a controller learns by REINFORCE which paths of a supernet are good (Pham et al. 2018)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from naopt.configuration import PresetSettings
from naopt.one_shot.base import Memory, OneShotSearcher, one_shot
from naopt.one_shot.drawing import draw_candidates
from naopt.one_shot.warmup import WarmupSettings

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch.optim import Adam

    from naopt.latent.controller import RecurrentController
    from naopt.latent.controller_memory import ArchitectureMemory
    from naopt.networks.path import Path
    from naopt.one_shot.data import Batch, SharedData
    from naopt.one_shot.path_trainer import PathTrainer
    from naopt.searchers.base import Proposal
    from naopt.spaces import Architecture, SearchSpace, Tokens


class ENASSettings(WarmupSettings, PresetSettings):
    """Settings of ENAS; presets hold those of the authors' programs."""

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "default": {},
        "cnn": {
            "epochs": 150,
            "numbering": "written",
            "warmup": 0.0,
            "controller_steps": 30,
            "controller_samples": 10,
            "temperature": 1.0,
            "tanh_constant": 1.1,
            "operation_tanh_reduce": 2.5,
            "layers": 2,
        },
        "ptb": {
            "epochs": 100,
            "numbering": "written",
            "warmup": 0.0,
            "controller_steps": 100,
            "controller_samples": 10,
            "controller_learning_rate": 0.001,
            "entropy_weight": 0.001,
            "hidden_size": 100,
        },
    }

    preset: Literal["default", "cnn", "ptb"] = "default"
    """Named values: those of the programs for CIFAR-10 (cells) and for Penn Treebank."""
    controller: Literal["anchors", "plain"] = "anchors"
    """That of the programs, which chooses earlier nodes by attention over the states that belong to them, or the plain
    LSTM of ``reinforce``, with bounded logits."""
    hidden_size: int = Field(64, ge=1)
    """Width of the controller's LSTM and of its embeddings."""
    layers: int = Field(1, ge=1)
    """Layers of the LSTM."""
    temperature: float = Field(5.0, gt=0)
    """T: the controller's logits are c tanh(logit / T)."""
    tanh_constant: float = Field(2.5, ge=0)
    """c, which bounds the logits; 0 for no bound."""
    operation_tanh_reduce: float = Field(1.0, gt=0)
    """What c is divided by where an operation is chosen, not an earlier node."""
    operation_bias: float = 10.0
    """Where the learned bias of separable convolutions begins, that of other operations beginning at 0 (anchors)."""
    fixed_bias: float = 0.25
    """What is added to the logits of separable convolutions in the first cell, and taken from those of other
    operations (anchors)."""
    distance_scale: float = Field(6.0, ge=0)
    """In recurrent cells a predecessor that is d nodes away loses d^2 over so much of its logit (anchors); 0 for
    nothing."""
    controller_steps: int = Field(10, ge=1)
    """Steps of the controller's optimiser after each epoch."""
    controller_samples: int = Field(5, ge=1)
    """Architectures of each of them, all rewarded on the same validation batch."""
    controller_learning_rate: float = Field(0.0035, gt=0)
    """Of the controller's Adam."""
    baseline_decay: float = Field(0.9, ge=0, lt=1)
    """What the moving average of the rewards, which is the baseline, keeps at each controller step."""
    entropy_weight: float = Field(1e-4, ge=0)
    """What a nat of the controller's entropy is worth, in the unit of the rewards."""
    buffer: int = Field(0, ge=0)
    """M: architectures in the controller's memory, whose states have to decode back to them; 0 for none."""
    buffer_weight: float = Field(0.1, gt=0)
    """What a nat of the memory's loss counts, in the unit of the rewards."""
    buffer_batch: int = Field(32, ge=1)
    """Remembered architectures of one controller step."""


@one_shot.register("enas")
class ENASSearcher(OneShotSearcher):
    """ENAS: a controller samples the paths that are trained, and learns from their validation rewards.

    Pham et al. 2018, "Efficient neural architecture search via parameter sharing", section 2.2, in alternation:

    1. an epoch of the shared weights, one path x ~ pi for each minibatch;
    2. ``controller_steps`` steps of Adam on ``-mean((R - b) log pi(x)) - beta mean(H)`` with ``controller_samples``
       paths each; R is the reward on a validation minibatch, b a moving average of R, debiased.

    With a ``buffer`` the second has another term, ``buffer_weight`` times the memory's loss (Adam & Lorraine 2019;
    ``naopt.latent.controller_memory``).

    The controller is that of the programs (``AnchorController``), or a plain LSTM with ``controller=plain``.

    Departures: all paths of one controller step see the same minibatch (the programs' draw one for each, whose noise
    is as large as the differences between paths); choices are masked to those that are valid; by default the
    controller waits for the first fifth of the epochs, in which paths are uniform.
    """

    settings_type = ENASSettings

    def __init__(self, space: SearchSpace, settings: ENASSettings, *, seed: int) -> None:
        super().__init__(space, settings, seed=seed)
        self.options = settings
        self._learner: tuple[RecurrentController, Adam] | None = None
        self._buffer: ArchitectureMemory | None = None
        self._queue: list[Tokens] = []
        self._average = self._weight = 0.0

    @property
    def controller(self) -> RecurrentController:
        """The controller as it stands."""
        return self._learning[0]

    @property
    def _learning(self) -> tuple[RecurrentController, Adam]:
        if self._learner is None:
            import torch

            from naopt.latent.controller_memory import ArchitectureMemory

            options = self.options
            with torch.random.fork_rng(devices=[]):
                torch.default_generator.manual_seed(self.seed)
                controller = _built(self.space, options)
            self._learner = controller, torch.optim.Adam(controller.parameters(), lr=options.controller_learning_rate)
            self._buffer = ArchitectureMemory(options.buffer) if options.buffer else None
        return self._learner

    def sample(self) -> Architecture:
        """An architecture that the controller writes."""
        return self.space.architecture(self.controller.sample(1, self.rng)[0])

    def step(self, trainer: PathTrainer) -> float:
        """One training step on a path of the controller's, or a uniform one."""
        if self.options.warming_up(trainer.epoch):
            return trainer.train_path(trainer.path(super().sample()))
        if not self._queue:
            # The controller learns between epochs only: writing an epoch's paths at once is much cheaper.
            self._queue = self.controller.sample(trainer.data.steps, self.rng)
        return trainer.train_path(trainer.path(self.space.architecture(self._queue.pop())))

    def end_epoch(self, trainer: PathTrainer) -> dict[str, float]:
        """Teaches the controller.

        Figures: its ``entropy`` in nats per architecture, the mean ``reward`` of what it wrote and the ``baseline``;
        with a buffer also its mean ``buffer_loss``. None while warming up.
        """
        from naopt.one_shot.learner import mean_entropy

        if self.options.warming_up(trainer.epoch):
            return {}
        steps = [self._learn(trainer.data) for _ in range(self.options.controller_steps)]
        self._queue = []
        figures = {name: float(np.mean([step[name] for step in steps])) for name in steps[0]}
        return {"entropy": mean_entropy(self.controller, self.rng), **figures, "baseline": self._average / self._weight}

    def _learn(self, data: SharedData) -> dict[str, float]:
        """One step of the controller's optimiser."""
        from naopt.latent.controller import reinforce_loss
        from naopt.latent.controller_memory import memory_loss

        controller, optimizer = self._learning
        written = controller.sample(self.options.controller_samples, self.rng)
        paths = [data.shared.path(self.space.architecture(tokens)) for tokens in written]
        rewards = _rewards(data, paths, data.next_valid())
        figures = {"reward": float(rewards.mean())}
        decay = self.options.baseline_decay
        self._average = decay * self._average + (1 - decay) * figures["reward"]
        self._weight = decay * self._weight + (1 - decay)
        advantages = rewards - self._average / self._weight
        loss = reinforce_loss(controller, written, advantages, self.options.entropy_weight)
        if self._buffer is not None:
            self._buffer.add(written, self.rng)
            remembered = memory_loss(controller, self._buffer.draw(self.options.buffer_batch, self.rng))
            figures["buffer_loss"] = remembered.item()
            loss = loss + self.options.buffer_weight * remembered
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        return figures

    def candidates(self, count: int, trainer: PathTrainer) -> list[Proposal]:  # noqa: ARG002
        """Distinct architectures that the controller writes; uniform ones if it insists on too few."""

        def draw(some: int) -> list[Tokens]:
            return self.controller.sample(some, self.rng)

        return draw_candidates(self.space, draw, count, "controller", self.rng)

    def memory(self) -> Memory:
        """Controller, optimiser, baseline, the paths that are still to be trained, and the buffer."""
        from naopt.one_shot.learner import learner_tensors

        controller, optimizer = self._learning
        tensors = learner_tensors(list(controller.parameters()), optimizer)
        facts: dict[str, Any] = {
            "average": self._average,
            "weight": self._weight,
            "queue": [list(tokens) for tokens in self._queue],
        }
        if self._buffer is not None:
            tensors |= {f"buffer.{name}": tensor for name, tensor in self._buffer.tensors().items()}
            facts["buffer"] = self._buffer.facts()
        return Memory(tensors, facts)

    def restore(self, memory: Memory) -> None:
        """See ``OneShotSearcher``."""
        from naopt.one_shot.learner import restore_learner

        controller, optimizer = self._learning
        restore_learner(list(controller.parameters()), optimizer, memory.tensors)
        self._average, self._weight = float(memory.facts["average"]), float(memory.facts["weight"])
        self._queue = [tuple(tokens) for tokens in memory.facts["queue"]]
        if self._buffer is not None:
            self._buffer.restore({"tokens": memory.tensors["buffer.tokens"]}, memory.facts["buffer"])


def _built(space: SearchSpace, options: ENASSettings) -> RecurrentController:
    from naopt.one_shot.anchor_controller import AnchorController
    from naopt.one_shot.bounds import Bounds
    from naopt.one_shot.squashed import SquashedController

    bounds = Bounds(options.temperature, options.tanh_constant, options.operation_tanh_reduce)
    if options.controller == "plain":
        return SquashedController(space, options.hidden_size, options.layers, bounds=bounds)
    return AnchorController(
        space,
        options.hidden_size,
        options.layers,
        bounds=bounds,
        operation_bias=options.operation_bias,
        fixed_bias=options.fixed_bias,
        distance_scale=options.distance_scale,
    )


def _rewards(data: SharedData, paths: list[Path], batch: Batch) -> NDArray[np.float64]:
    """Rewards ``(n,)`` of paths, all on one batch."""
    found: dict[Path, float] = {}
    for path in paths:
        if path not in found:
            data.shared.choose(path)
            found[path] = data.reward(batch)
    return np.array([found[path] for path in paths], dtype=np.float64)
