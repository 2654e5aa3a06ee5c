"""DARTS: mixtures of operations, whose weights descend by gradients (Liu et al. 2019)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from naopt.errors import InputError
from naopt.one_shot.base import Memory, OneShotSearcher, one_shot
from naopt.one_shot.drawing import draw_candidates
from naopt.one_shot.warmup import WarmupSettings
from naopt.searchers.base import Proposal

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from naopt.networks.supernet import Mixable
    from naopt.one_shot.data import Batch
    from naopt.one_shot.path_trainer import PathTrainer
    from naopt.spaces import SearchSpace, Tokens

_INITIAL_SPREAD = 1e-3
"""Standard deviation of the logits at the start, as in the authors' program."""


class DARTSSettings(WarmupSettings):
    """Settings of DARTS; the defaults of the mixture's optimiser are the paper's."""

    numbering: Literal["written"] = "written"
    """By which number of a node it has its weights: that of the derived cell as it is written, whose operations the
    mixture trained under just these numbers."""
    warmup: float = Field(0.0, ge=0, lt=1)
    """The share of the epochs, rounded down to whole ones, in which only the shared weights are trained."""
    order: Literal["first", "second"] = "first"
    """Whether the mixture's gradient takes into account that the weights follow (second: Eq. 6)."""
    hessian: Literal["exact", "difference"] = "exact"
    """How the second order multiplies by second derivatives: by differentiating twice, or by the paper's finite
    difference, 0.01 long (Eq. 8)."""
    affine: bool = False
    """Normalisations in the cells learn a scale and an offset, as those of children do. Without (published), no
    operation can rescale what the mixture weighs."""
    normalise_pools: bool = True
    """Pools in the cells are followed by a normalisation without scale and offset (published), which children do not
    have: the derived architecture, if it has a pool, inherits no weights."""
    normalise_states: bool = True
    """States of recurrent cells are normalised by their batch (published), which those of children are not: the derived
    cell inherits no weights."""
    mixture_learning_rate: float = Field(3e-4, gt=0)
    """Of the mixture's Adam, whose betas are 0.5 and 0.999."""
    mixture_weight_decay: float = Field(1e-3, ge=0)
    """L2 coefficient of the mixture's logits."""


@one_shot.register("darts")
class DARTSSearcher(OneShotSearcher):
    """DARTS: trains mixtures of all operations, and descends their weights by gradients.

    Liu, Simonyan & Yang 2019, "DARTS: differentiable architecture search", section 2. Each step:

    1. logits alpha: Adam on the gradient of ``L_valid(w', alpha)``, with ``w' = w`` (first order) or
       ``w' = w - xi grad_w L_train(w, alpha)`` (second order, Eq. 6; xi is the learning rate of the weights);
    2. shared weights: one step on a training batch, as a mixture.

    As published, normalisations in the cells learn neither scale nor offset, and pools are normalised: what is measured
    for a path has these normalisations, as what was trained had.

    Departures: the virtual step is a plain gradient step, as in the equation (the program's has momentum and weight
    decay); the second order is exact by default; the losses of the finite difference see the same dropout. The derived
    architecture is the only candidate: it is measured as a single path, which was never trained alone.
    """

    settings_type = DARTSSettings

    def __init__(self, space: SearchSpace, settings: DARTSSettings, *, seed: int) -> None:
        super().__init__(space, settings, seed=seed)
        self.options = settings
        self.logits: list[nn.Parameter] = []

    def begin(self, trainer: PathTrainer) -> None:
        """Makes the logits. Raises ``InputError`` for a supernet that does not mix, or not with its settings."""
        import torch
        from torch import nn

        from naopt.networks.supernet import Mixable

        if not isinstance(trainer.shared, Mixable):
            rule = "searches only where operations can be mixed: in conv-cell, nasbench201 and recurrent-cell"
            raise InputError("searcher", "darts", f"{rule}, not in {self.space.name}")
        exact = (self.options.order, self.options.hessian) == ("second", "exact")
        if exact and not trainer.shared.twice_differentiable:
            raise InputError("hessian", "exact", "must be difference for text, whose loss has no second derivatives")
        super().begin(trainer)
        self._mixable: Mixable = trainer.shared
        like = next(trainer.network.parameters())
        draws = torch.Generator().manual_seed(self.seed)
        self.logits = [
            nn.Parameter((_INITIAL_SPREAD * torch.randn(*shape, generator=draws)).to(like))
            for shape in self._mixable.mixing_shapes()
        ]
        self._optimizer = torch.optim.Adam(
            self.logits,
            lr=self.options.mixture_learning_rate,
            betas=(0.5, 0.999),
            weight_decay=self.options.mixture_weight_decay,
        )
        self._mixable.mix(self._weights())

    def step(self, trainer: PathTrainer) -> float:
        """One step of the mixture, unless warming up, and one of the shared weights."""
        batch = trainer.data.next_train()
        if not self.options.warming_up(trainer.epoch):
            gradients = self.mixture_gradients(trainer, batch, trainer.data.next_valid())
            for logits, gradient in zip(self.logits, gradients, strict=True):
                logits.grad = gradient
            self._optimizer.step()
        self._mixable.mix(self._weights())
        loss = trainer.data.loss(batch)
        loss.backward()  # type: ignore[no-untyped-call]
        trainer.apply(trainer.shared.path_parameters())
        return float(loss.detach())

    def mixture_gradients(self, trainer: PathTrainer, train: Batch, valid: Batch) -> list[Tensor]:
        """Gradients of the validation loss for the logits, of the order that the settings say.

        When it returns, the shared weights are what they were, to the bit.
        """
        from naopt.one_shot.mixture_gradient import difference_gradient, exact_gradient, gradients, repeatable

        if self.options.order == "first":
            return gradients(self.mixed_loss(trainer, valid), self.logits)
        self._mixable.mix(self._weights())
        unrolled = exact_gradient if self.options.hessian == "exact" else difference_gradient
        return unrolled(
            lambda: self.mixed_loss(trainer, train),
            lambda: self.mixed_loss(trainer, valid),
            self.logits,
            [weight for weight in trainer.shared.path_parameters() if weight.requires_grad],
            float(trainer.optimizer.param_groups[0]["lr"]),
            repeatable(trainer.device),
        )

    def mixed_loss(self, trainer: PathTrainer, batch: Batch) -> Tensor:
        """Loss of the mixture, with a gradient for its logits and for the shared weights."""
        self._mixable.mix([logits.softmax(-1) for logits in self.logits])
        return trainer.data.loss(batch)

    def end_epoch(self, trainer: PathTrainer) -> dict[str, float]:  # noqa: ARG002
        """Figures of the mixture and of the architecture that would be derived from it.

        ``entropy``: the sum over all mixtures, in nats; ``derived_skip`` and ``derived_none``: the shares of the
        positions that could choose a skip connection, or nothing, and do.
        """
        tokens = self._derived()
        named = [(position.choices, token) for position, token in zip(self.space.positions, tokens, strict=True)]
        kinds = {"derived_skip": self.space.skips, "derived_none": frozenset({"none"})}
        figures = {"entropy": sum(float(_entropy(weights)) for weights in self._weights())}
        for name, kind in kinds.items():
            able = [choices[token] in kind for choices, token in named if kind & set(choices)]
            figures[name] = sum(able) / len(able) if able else 0.0
        return figures

    def candidates(self, count: int, trainer: PathTrainer) -> list[Proposal]:  # noqa: ARG002
        """The derived architecture alone: what single paths score says nothing after mixtures were trained.

        In a space that lists only some architectures it may be missing; then candidates are distinct samples of the
        mixtures where these decide the positions one by one, and random architectures elsewhere.
        """
        tokens = self._derived()
        if self.space.contains(tokens):
            return [Proposal(self.space.architecture(tokens), "derived")]

        def draw(some: int) -> list[Tokens]:
            return _drawn(self._weights()[0].double().cpu().numpy(), some, self.rng) if self._decide_positions() else []

        return draw_candidates(self.space, draw, count, "mixture", self.rng)

    def _decide_positions(self) -> bool:
        """Whether there is one table whose rows are the space's positions."""
        shapes = [tuple(logits.shape) for logits in self.logits]
        positions = self.space.positions
        return all(shapes == [(len(positions), len(position.choices))] for position in positions)

    def _derived(self) -> Tokens:
        return self._mixable.derive(self._weights())

    def _weights(self) -> list[Tensor]:
        return [logits.detach().softmax(-1) for logits in self.logits]

    def memory(self) -> Memory:
        """Logits and their optimiser."""
        from naopt.one_shot.learner import learner_tensors

        return Memory(learner_tensors(self.logits, self._optimizer))

    def restore(self, memory: Memory) -> None:
        """See ``OneShotSearcher``."""
        from naopt.one_shot.learner import restore_learner

        restore_learner(self.logits, self._optimizer, memory.tensors)


def _entropy(weights: Tensor) -> Tensor:
    """Sum of the entropies of distributions ``(..., choices)``, in nats."""
    import torch

    total: Tensor = torch.special.entr(weights).sum()
    return total


def _drawn(table: NDArray[np.float64], count: int, rng: np.random.Generator) -> list[Tokens]:
    """``count`` sequences, each position by its row of ``(positions, choices)`` probabilities."""
    cumulative = table.cumsum(axis=1)
    draws = rng.random((count, len(table), 1)) * cumulative[:, -1:]
    return [tuple(row) for row in (cumulative <= draws).sum(axis=2).tolist()]
