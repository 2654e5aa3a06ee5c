"""A space cut down to listed sequences: what a table that holds only part of a space lets one search."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from naopt.errors import InputError
from naopt.spaces.base import Architecture, SearchSpace, Tokens
from naopt.spaces.row_index import PrefixIndex, RowIndex, sorted_rows

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from naopt.spaces.graph import Graph

_MOST_KEPT = 10_000
_NEAREST = 8
"""From how many nearest rows a mutation draws when there is none one change away."""


def _presented(whole: SearchSpace, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """The rows in canonical form, unless that would be another query."""
    if type(whole).identity is SearchSpace.identity:
        return whole.identities(rows)
    forms = [whole.canonical(row) for row in rows.tolist()]
    pairs = zip(forms, rows.tolist(), strict=True)
    return np.array([form if whole.identity(form) == whole.identity(row) else row for form, row in pairs])


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
        given = given.astype(np.int64)
        wrong = np.flatnonzero(~whole.valid_rows(given))
        if len(wrong):
            row = given[wrong[0]].tolist()
            raise InputError("rows", " ".join(map(str, row)), str(whole.explain_invalid(row)))
        self.rows = sorted_rows(_presented(whole, given), whole.positions)
        self.whole = whole
        self.name, self.tokens_per_step = whole.name, whole.tokens_per_step
        # Which rows there are decides what may follow: no position is free (see Place).
        self.positions = tuple(replace(position, place=None) for position in whole.positions)
        self.skips = whole.skips
        self._near: dict[Tokens, list[Architecture]] = {}

    @cached_property
    def _prefixes(self) -> PrefixIndex:
        return PrefixIndex(self.rows, self.positions)

    @cached_property
    def _row_of(self) -> RowIndex:
        """Row by identity."""
        return RowIndex(self.whole.identities(self.rows), self.positions)

    @cached_property
    def _first_of(self) -> RowIndex:
        """First row by canonical form."""
        if type(self.whole).identity is SearchSpace.identity:
            return self._row_of
        forms = np.array([self.whole.canonical(row) for row in self.rows.tolist()], dtype=np.int64)
        return RowIndex(forms, self.positions)

    def _tokens(self, row: int) -> Tokens:
        return tuple(self.rows[row].tolist())

    def __reduce__(self) -> tuple[type[EnumeratedSpace], tuple[SearchSpace, NDArray[np.int64]]]:
        return type(self), (self.whole, self.rows)

    def choices(self, prefix: Sequence[int]) -> Tokens:
        """Choices with which at least one row goes on (rows are sorted, hence so are these)."""
        following = self.choice_mask(np.array([prefix], dtype=np.int64).reshape(1, len(prefix)))[0]
        return tuple(np.flatnonzero(following).tolist())

    def choice_mask(self, prefixes: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Choices with which at least one row goes on, for many prefixes ``(n, t)`` at once."""
        return self._prefixes.follows(prefixes)

    def explain_invalid(self, tokens: Sequence[int]) -> str | None:
        """As in the whole space; what is valid there may still not be a listed row as it stands."""
        reason = self.whole.explain_invalid(tokens)
        if reason is not None:
            return reason
        row = self._row_of.get(self.whole.identity(tokens))
        if row is None or self._tokens(row) != tuple(tokens):
            return f"is not among the {len(self.rows)} listed rows"
        return None

    def architecture(self, tokens: Sequence[int]) -> Architecture:
        """The listed row that is the same query. Raises ``InputError`` if there is none."""
        row = self._row_of.get(self.whole.architecture(tokens).identity)
        return super().architecture(tokens if row is None else self._tokens(row))

    def identities(self, tokens: NDArray[np.int64]) -> NDArray[np.int64]:
        """The identities in the whole space."""
        return self.whole.identities(tokens)

    @property
    def distinct(self) -> int:
        """Number of rows."""
        return len(self.rows)

    @property
    def size(self) -> int:
        """Number of rows."""
        return len(self.rows)

    def sample(self, rng: np.random.Generator) -> Architecture:
        """A row, uniformly."""
        return self._trusted(self._tokens(int(rng.integers(len(self.rows)))))

    def neighbours(self, architecture: Architecture) -> Iterator[Architecture]:
        """Rows that are one change away in the whole space; often there is none."""
        for neighbour in self.whole.neighbours(architecture):
            row = self._row_of.get(neighbour.identity)
            if row is not None:
                yield self._trusted(self._tokens(row))

    def mutate(self, architecture: Architecture, rng: np.random.Generator) -> Architecture:
        """A random neighbour; where there is none, one of the rows with the fewest differing tokens."""
        near = self._near.get(architecture.tokens)
        if near is None:
            if len(self._near) >= _MOST_KEPT:
                self._near.clear()
            near = self._near[architecture.tokens] = self._candidates(architecture)
        return near[int(rng.integers(len(near)))] if near else architecture

    def _candidates(self, architecture: Architecture) -> list[Architecture]:
        """What a mutation draws from."""
        neighbours = list(self.neighbours(architecture))
        if neighbours:
            return neighbours
        distance = (self.rows != np.asarray(architecture.tokens)).sum(axis=1)
        nearest = np.argsort(distance, kind="stable")[: _NEAREST + 1].tolist()
        return [row for index in nearest if (row := self._trusted(self._tokens(index))) != architecture]

    def canonical(self, tokens: Sequence[int]) -> Tokens:
        """The first listed row with the same canonical form; outside the rows that form itself."""
        whole = self.whole.canonical(tokens)
        row = self._first_of.get(whole)
        return whole if row is None else self._tokens(row)

    def identity(self, tokens: Sequence[int]) -> Tokens:
        """The identity in the whole space."""
        return self.whole.identity(tokens)

    def graph(self, architecture: Architecture) -> Graph:
        """The graph in the whole space."""
        return self.whole.graph(architecture)

    def quantities(self, architecture: Architecture) -> Mapping[str, float]:
        """What is known in the whole space."""
        return self.whole.quantities(architecture)

    def format(self, architecture: Architecture) -> str:
        """The text in the whole space."""
        return self.whole.format(architecture)

    def parse(self, text: str) -> Architecture:
        """The listed row that is the same query. Raises ``InputError`` if there is none."""
        return self.architecture(self.whole.parse(text).tokens)
