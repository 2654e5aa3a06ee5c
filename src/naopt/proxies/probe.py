"""A network at its initialisation, and what one or two batches leave in it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from naopt.networks.base import ChildNetwork
from naopt.networks.language_model import LanguageModel
from naopt.proxies.watching import Codes

Batch = tuple[Tensor, Tensor]
"""Images ``(n, c, h, w)`` and labels ``(n,)``, or words ``(t, b)`` and those that follow, ``(t, b)``."""


@dataclass(frozen=True, slots=True)
class First:
    """What the pass of the first batch left; ``None`` for what was not recorded.

    Attributes:
        codes: ``(n, n)``, see ``naopt.proxies.watching.Codes``.
        jacobian: ``(n, c h w)``, gradient of the sum of the logits with respect to the images.
        gradients: of the loss, by name of the weight.
    """

    codes: Tensor | None = None
    jacobian: Tensor | None = None
    gradients: Mapping[str, Tensor] | None = None


class Probe(ABC):
    """One network, looked at by proxies. What several of them need is computed once.

    Args:
        build: gives the network at its initialisation, the same each time, on the device; without dropouts and without
            an auxiliary head.
        batches: the first is for all, the others for what compares batches.
        records: what is kept of the pass of the first batch.
        costs: what is known of the network, by name.
        seed: of what is drawn beside the initialisation.
        repeats: how often that is drawn.

    Attributes:
        shape: of the input without the first dimension; of an image ``(c, h, w)``.
        size: examples of a batch.
    """

    def __init__(
        self,
        build: Callable[[], nn.Module],
        batches: Sequence[Batch],
        records: Collection[str],
        costs: Mapping[str, float],
        *,
        seed: int = 0,
        repeats: int = 1,
    ) -> None:
        self.fresh, self.batches, self.records, self.costs = build, batches, frozenset(records), costs
        self.seed, self.repeats, self.size = seed, repeats, batches[0][1].shape[-1]
        self.shape, self.device = tuple(batches[0][0].shape[1:]), batches[0][0].device
        self._gradients: dict[int, Mapping[str, Tensor]] = {}

    @cached_property
    def network(self) -> nn.Module:
        """In training mode; passes change nothing but running statistics."""
        return self.fresh().train()

    @property
    def weights(self) -> dict[str, Tensor]:
        """Of ``network``, without their gradients."""
        return {name: weight.detach() for name, weight in self.weights_of(self.network).items()}

    @staticmethod
    def weights_of(network: nn.Module) -> dict[str, Tensor]:
        """Parameters by name that are matrices or kernels: no biases, and nothing of a normalisation."""
        return {name: parameter for name, parameter in network.named_parameters() if parameter.dim() > 1}

    @cached_property
    def first(self) -> First:
        """See ``First``."""
        return self._pass(self.batches[0], self.records)

    def gradients(self, index: int) -> Mapping[str, Tensor]:
        """Of the loss on a batch, by name of the weight; zeros where a weight has no part in it."""
        if index == 0:
            assert self.first.gradients is not None
            return self.first.gradients
        if index not in self._gradients:
            found = self._pass(self.batches[index], {"gradients"}).gradients
            assert found is not None
            self._gradients[index] = found
        return self._gradients[index]

    def _of(self, loss: Tensor) -> dict[str, Tensor]:
        weights = self.weights_of(self.network)
        found = torch.autograd.grad(loss, list(weights.values()), allow_unused=True)
        return {
            name: torch.zeros_like(weight) if gradient is None else gradient
            for (name, weight), gradient in zip(weights.items(), found, strict=True)
        }

    @abstractmethod
    def _pass(self, batch: Batch, records: Collection[str]) -> First:
        """One pass of a batch, forth and, where something that is recorded needs it, back."""


class ImageProbe(Probe):
    """A classifier of images. The loss is the cross entropy."""

    def _pass(self, batch: Batch, records: Collection[str]) -> First:
        images, labels = batch
        assert isinstance(self.network, ChildNetwork)
        jacobian = "jacobian" in records
        if jacobian:
            images = images.detach().clone().requires_grad_()
        codes = Codes() if "codes" in records else None
        backward = bool({"jacobian", "gradients"} & set(records))
        with torch.set_grad_enabled(backward), codes or nullcontext():
            logits = self.network(images)
        rows, gradients = None, None
        if jacobian:
            (found,) = torch.autograd.grad(
                logits.sum(), images, retain_graph="gradients" in records, materialize_grads=True, allow_unused=True
            )
            rows = found.flatten(1)
        if "gradients" in records:
            gradients = self._of(F.cross_entropy(logits, labels))
        kernel = None
        if codes is not None:
            kernel = torch.zeros((self.size,) * 2).double() if codes.kernel is None else codes.kernel
        return First(kernel, rows, gradients)


class TextProbe(Probe):
    """A language model. The loss is the mean cross entropy of a chunk that begins with a state of zeros."""

    def _pass(self, batch: Batch, records: Collection[str]) -> First:
        words, following = batch
        assert isinstance(self.network, LanguageModel)
        if "gradients" not in records:
            return First()
        found = self.network.loss(words, following, self.network.begin(words.shape[1]))
        return First(gradients=self._of(found.cross_entropy))
