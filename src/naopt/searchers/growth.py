"""Architectures that grow: what a small one is where all sequences have one length, and what it grows into."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence

import numpy as np

from naopt.spaces import Architecture, SearchSpace, Tokens

Grown = tuple[Tokens, Architecture]
"""Tokens, and what they grew from."""


class Growth:
    """Sizes of a space's architectures.

    A unit is ``space.tokens_per_step`` tokens (a branch of a cell, an edge of NAS-Bench-201), and an architecture of
    size b has b units that were chosen; the others are the simplest there are, an operation that passes its input on
    where the space has one and the first valid choice elsewhere. So every small architecture is a whole one.

    Args:
        space: of the architectures.

    Attributes:
        units: of every architecture: the largest size.
        smallest: of size 0.
    """

    def __init__(self, space: SearchSpace) -> None:
        self.space = space
        self.units = len(space.positions) // space.tokens_per_step
        self.smallest = space.architecture(self.completed(()))
        self._sizes: dict[Architecture, int] = {}

    def beam(self, share: float, budget: int) -> int:
        """A share of the budget, at least 1, and no more than lets every size have its turn."""
        return max(1, min(round(share * budget), budget // (self.units + 1)))

    def size(self, architecture: Architecture) -> int:
        """How many units were chosen: all up to the last one that is not the simplest."""
        if architecture not in self._sizes:
            step, tokens, size = self.space.tokens_per_step, architecture.tokens, self.units
            while size and self.completed(tokens[: (size - 1) * step]) == tokens:
                size -= 1
            self._sizes[architecture] = size
        return self._sizes[architecture]

    def completed(self, prefix: Tokens) -> Tokens:
        """A prefix with the simplest choices after it."""
        tokens = prefix
        for position in self.space.positions[len(prefix) :]:
            valid = self.space.choices(tokens)
            passing = (choice for choice in valid if position.choices[choice] in self.space.skips)
            tokens = (*tokens, next(passing, valid[0]))
        return tokens

    def grown(self, parents: Sequence[Architecture], size: int) -> Iterator[Grown]:
        """Every choice of unit number ``size`` (from 1), which none of the parents has chosen."""
        for parent in parents:
            for tokens in self._units_after(parent.tokens[: (size - 1) * self.space.tokens_per_step]):
                yield self.completed(tokens), parent

    def replaced(self, parents: Sequence[Architecture]) -> Iterator[Grown]:
        """Every choice of every unit, where the rest stays valid."""
        step = self.space.tokens_per_step
        for parent in parents:
            for at in range(0, self.units * step, step):
                for begun in self._units_after(parent.tokens[:at]):
                    tokens = begun + parent.tokens[at + step :]
                    if self.space.contains(tokens):
                        yield tokens, parent

    def new(
        self, found: Iterator[Grown], known: Container[Architecture], most: int, rng: np.random.Generator
    ) -> dict[Architecture, Architecture]:
        """Distinct architectures that are not known, with their parents, in random order; at most so many."""
        new: dict[Architecture, Architecture] = {}
        for tokens, parent in found:
            architecture = self.space.architecture(tokens)
            if architecture not in known:
                new.setdefault(architecture, parent)
        rows = list(new.items())
        return dict(rows[index] for index in rng.permutation(len(rows))[:most].tolist())

    def _units_after(self, prefix: Tokens) -> list[Tokens]:
        """A prefix with every unit that is valid after it."""
        found = [prefix]
        for _ in range(self.space.tokens_per_step):
            found = [(*tokens, choice) for tokens in found for choice in self.space.choices(tokens)]
        return found
