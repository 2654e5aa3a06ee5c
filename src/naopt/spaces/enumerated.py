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

    Rows are held in canonical form, and rows that are the same query count once. ``choices`` follows their common
    prefixes, so whatever is sampled, mutated or decoded is one of them.

    Args:
        whole: the space that the rows belong to.
        rows: ``(n, positions)`` integer tokens, valid in ``whole``, ``n > 0``.

    Raises:
        InputError: rows of another shape or type, or one that is not valid in ``whole``.
    """

    def __init__(self, whole: SearchSpace, rows: ArrayLike) -> None:
        given = np.asarray(rows)
        if given.ndim != 2 or not len(given) or given.shape[1] != len(whole.positions) or given.dtype.kind not in "iu":
            shape = f"{given.dtype} {given.shape}"
            raise InputError("rows", shape, f"must be integers (n, {len(whole.positions)}) with n > 0")
        for row in given.tolist():
            reason = whole.explain_invalid(row)
            if reason is not None:
                raise InputError("rows", " ".join(map(str, row)), reason)
        table = np.unique(np.array([_presented(whole, row) for row in given.tolist()], dtype=np.int64), axis=0)
        self.whole, self.rows = whole, table
        self.name, self.positions, self.tokens_per_step = whole.name, whole.positions, whole.tokens_per_step
        self._next: dict[Tokens, list[int]] = {}
        self._row_of: dict[Tokens, Tokens] = {}
        self._first_of: dict[Tokens, Tokens] = {}
        for row in table.tolist():
            tokens = tuple(row)
            self._row_of[whole.identity(tokens)] = tokens
            self._first_of.setdefault(whole.canonical(tokens), tokens)
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
        """As in the whole space; what is valid there may still not be a listed row as it stands."""
        reason = self.whole.explain_invalid(tokens)
        if reason is None and self._row_of.get(self.whole.identity(tokens)) != tuple(tokens):
            return f"is not among the {len(self.rows)} listed rows"
        return reason

    def architecture(self, tokens: Sequence[int]) -> Architecture:
        """The listed row that is the same query. Raises ``InputError`` if there is none."""
        return super().architecture(self._row_of.get(self.whole.architecture(tokens).identity, tokens))

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
        """The first listed row with the same canonical form; outside the rows that form itself."""
        whole = self.whole.canonical(tokens)
        return self._first_of.get(whole, whole)

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
        """The listed row that is the same query. Raises ``InputError`` if there is none."""
        return self.architecture(self.whole.parse(text).tokens)
