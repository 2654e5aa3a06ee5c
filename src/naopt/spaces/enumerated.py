"""A space cut down to listed sequences: what a table that holds only part of a space lets one search."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from naopt.errors import InputError
from naopt.spaces.base import Architecture, SearchSpace, Tokens

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from naopt.spaces.graph import Graph

_NEAREST = 8
"""From how many nearest rows a mutation draws when there is none one change away."""


def _presented(whole: SearchSpace, row: Sequence[int]) -> Tokens:
    """The row in canonical form, unless that would be another query."""
    canonical = whole.canonical(row)
    return canonical if whole.identity(canonical) == whole.identity(row) else tuple(row)


class EnumeratedSpace(SearchSpace):
    """The listed rows of another space, and nothing else.

    Rows are held in canonical form. ``choices`` follows their common prefixes, so whatever is sampled, mutated or
    decoded is one of them.

    Args:
        whole: the space that the rows belong to.
        rows: ``(n, positions)`` tokens, valid in ``whole`` and different from each other under its ``identity``.
    """

    def __init__(self, whole: SearchSpace, rows: ArrayLike) -> None:
        table = np.unique(np.asarray([_presented(whole, row) for row in np.asarray(rows).tolist()]), axis=0)
        if table.ndim != 2 or not len(table) or table.shape[1] != len(whole.positions):
            raise InputError("rows", str(table.shape), f"must be (n, {len(whole.positions)}) with n > 0")
        self.whole, self.rows = whole, table
        self.name, self.positions, self.tokens_per_step = whole.name, whole.positions, whole.tokens_per_step
        self._next: dict[Tokens, list[int]] = {}
        self._row_of: dict[Tokens, Tokens] = {}
        for row in table.tolist():
            tokens = tuple(row)
            self._row_of.setdefault(whole.identity(tokens), tokens)
            for length in range(len(tokens)):
                following = self._next.setdefault(tokens[:length], [])
                if tokens[length] not in following:
                    following.append(tokens[length])

    def __reduce__(self) -> tuple[type[EnumeratedSpace], tuple[SearchSpace, NDArray[np.int64]]]:
        return type(self), (self.whole, self.rows)

    def choices(self, prefix: Sequence[int]) -> Tokens:
        """Choices with which at least one row goes on (rows are sorted, hence so are these)."""
        return tuple(self._next[tuple(prefix)])

    def explain_invalid(self, tokens: Sequence[int]) -> str | None:
        """As in the whole space; what is valid there may still not be listed."""
        reason = self.whole.explain_invalid(tokens)
        if reason is None and self.whole.identity(tokens) not in self._row_of:
            return f"is not among the {len(self.rows)} listed rows"
        return reason

    @property
    def size(self) -> int:
        """Number of rows."""
        return len(self.rows)

    def sample(self, rng: np.random.Generator) -> Architecture:
        """A row, uniformly."""
        return self._trusted(tuple(self.rows[int(rng.integers(len(self.rows)))].tolist()))

    def neighbours(self, architecture: Architecture) -> Iterator[Architecture]:
        """Rows that are one change away in the whole space; often there is none."""
        for neighbour in self.whole.neighbours(architecture):
            if neighbour.identity in self._row_of:
                yield self._trusted(self._row_of[neighbour.identity])

    def mutate(self, architecture: Architecture, rng: np.random.Generator) -> Architecture:
        """A random neighbour; where there is none, one of the rows with the fewest differing tokens."""
        neighbours = list(self.neighbours(architecture))
        if not neighbours:
            distance = (self.rows != np.asarray(architecture.tokens)).sum(axis=1)
            near = [
                self._trusted(tuple(self.rows[i].tolist())) for i in np.argsort(distance, kind="stable")[: _NEAREST + 1]
            ]
            neighbours = [row for row in near if row != architecture]
        return neighbours[int(rng.integers(len(neighbours)))] if neighbours else architecture

    def canonical(self, tokens: Sequence[int]) -> Tokens:
        """The listed row that is the same query; outside the rows the canonical form in the whole space."""
        return self._row_of.get(self.whole.identity(tokens)) or self.whole.canonical(tokens)

    def identity(self, tokens: Sequence[int]) -> Tokens:
        """The identity in the whole space."""
        return self.whole.identity(tokens)

    def graph(self, architecture: Architecture) -> Graph:
        """The graph in the whole space."""
        return self.whole.graph(architecture)

    def format(self, architecture: Architecture) -> str:
        """The text in the whole space."""
        return self.whole.format(architecture)

    def parse(self, text: str) -> Architecture:
        """The architecture in the whole space. Raises ``InputError`` if it is not listed."""
        return self.architecture(self.whole.parse(text).tokens)
