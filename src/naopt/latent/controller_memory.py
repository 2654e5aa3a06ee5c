"""The controller's memory: architectures that it wrote, whose states have to decode back to them.

Adam & Lorraine 2019, "Understanding neural architecture search techniques": the state of a controller that is trained
by policy gradient alone says little about the architecture that it wrote; rehearsing remembered architectures mends it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from naopt.latent.controller import RecurrentController
from naopt.spaces import Tokens

if TYPE_CHECKING:
    from numpy.typing import NDArray


class ArchitectureMemory:
    """A uniform sample of all architectures that were ever put in (Vitter 1985, algorithm R).

    A controller that has become sure of itself writes few different ones: the latest alone would soon be all alike.
    States are not kept but computed anew when they are needed (``memory_loss``), so they are never those of an older
    controller.

    Args:
        capacity: M >= 1, how many it holds.

    Attributes:
        tokens: what it holds.
        seen: how many were put in.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity, self.seen = capacity, 0
        self.tokens: list[Tokens] = []

    def __len__(self) -> int:
        return len(self.tokens)

    def add(self, written: Sequence[Tokens], rng: np.random.Generator) -> None:
        """Puts architectures in, one after the other; in a full memory each may take the place of another."""
        for tokens in written:
            self.seen += 1
            if len(self.tokens) < self.capacity:
                self.tokens.append(tokens)
            elif (place := int(rng.integers(self.seen))) < self.capacity:
                self.tokens[place] = tokens

    def draw(self, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """``(min(count, held), T)`` of the architectures, without replacement."""
        chosen = rng.permutation(len(self.tokens))[:count]
        return np.array([self.tokens[index] for index in chosen], dtype=np.int64)

    def tensors(self) -> dict[str, Tensor]:
        """What a checkpoint holds besides ``facts``: ``tokens`` ``(held, T)``."""
        return {"tokens": torch.tensor(self.tokens, dtype=torch.int64)}

    def facts(self) -> dict[str, Any]:
        """What a checkpoint holds besides ``tensors``, in JSON values."""
        return {"seen": self.seen}

    def restore(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        """Inverse of ``tensors`` and ``facts``."""
        self.tokens = [tuple(row) for row in tensors["tokens"].tolist()]
        self.seen = int(facts["seen"])


def memory_loss(controller: RecurrentController, tokens: NDArray[np.int64]) -> Tensor:
    """``-mean log p(x | initial state e(x))`` of remembered sequences ``(n, T)``, in nats.

    The gradient goes through the state ``e(x)`` as well as through what is written from it: this is the gradient of
    the loss, and it teaches the controller to keep in its state what it wrote, not only to read what happens to be
    there. (The paper's abstract leaves this open.)
    """
    loss: Tensor = -controller.log_probability(tokens, controller.encode(tokens)).mean()
    return loss
