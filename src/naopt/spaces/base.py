"""Search spaces: what may be built.

A space is a row of named positions, each with named choices. An architecture is one choice index (token) per position.
Spaces import no torch and hold no state that changes.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from naopt.errors import InputError, UnknownNameError
from naopt.spaces.position import Position

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from naopt.spaces.choices import Value
    from naopt.spaces.graph import Graph

Tokens = tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Architecture:
    """An immutable value: a space's name and one token per position.

    Equality and hash go by the space's name and ``identity``, the token sequence that stands for all sequences that
    count as the same query. Make one with ``SearchSpace.architecture``.
    """

    space: str
    tokens: Tokens
    identity: Tokens

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Architecture) and (self.space, self.identity) == (other.space, other.identity)

    def __hash__(self) -> int:
        return hash((self.space, self.identity))


class SearchSpace(ABC):
    """What may be built: positions, validity, sampling, symmetries, canonical form, graph, text.

    A subclass sets ``name`` and ``positions`` and implements the abstract methods; the rest is derived from
    ``choices`` and may be refined. ``naopt.testing.spaces`` holds the conformance suite that every space passes.
    All methods are pure; randomness comes in as a ``numpy.random.Generator``.
    """

    name: str
    positions: tuple[Position, ...]
    tokens_per_step: int = 1
    """How many neighbouring tokens form one unit of meaning (a branch of a cell); divides ``len(positions)``."""
    skips: frozenset[str] = frozenset()
    """Labels in ``graph`` of operations that pass their input on unchanged."""

    # What every space says.

    @abstractmethod
    def choices(self, prefix: Sequence[int]) -> Tokens:
        """Choices that are valid at position ``len(prefix)`` after a valid ``prefix``: at least one, ascending."""

    @property
    @abstractmethod
    def size(self) -> int:
        """Number of valid token sequences (exact)."""

    @abstractmethod
    def graph(self, architecture: Architecture) -> Graph:
        """The graph that the architecture stands for."""

    @abstractmethod
    def format(self, architecture: Architecture) -> str:
        """One readable line; ``parse`` gives the same tokens back."""

    @abstractmethod
    def parse(self, text: str) -> Architecture:
        """Inverse of ``format``. Raises ``ArchitectureSyntaxError`` with the position of the first wrong character."""

    # What a space may refine.

    def quantities(self, architecture: Architecture) -> Mapping[str, float]:  # noqa: ARG002
        """What is known of an architecture without measuring it, by name: finite, at least 0, always the same names.

        A latent model takes them for features, on a logarithmic scale (``naopt.latent.features``).
        """
        return {}

    def canonical(self, tokens: Sequence[int]) -> Tokens:
        """The one representative of all sequences that build the same function class. Idempotent, and valid."""
        return tuple(tokens)

    def identity(self, tokens: Sequence[int]) -> Tokens:
        """What counts as one query; the canonical form unless the space's published protocol says otherwise."""
        return self.canonical(tokens)

    def symmetric(self, tokens: Sequence[int], rng: np.random.Generator) -> Tokens:  # noqa: ARG002
        """A random symmetric counterpart (NAO, section 3.2): other tokens, same canonical form."""
        return tuple(tokens)

    def symmetries(self, tokens: Sequence[int]) -> Iterator[Tokens]:
        """All symmetric counterparts, the sequence itself first; may be exponentially many, so it is lazy."""
        yield tuple(tokens)

    def contains(self, tokens: Sequence[int]) -> bool:
        """Whether the sequence is valid."""
        return self.explain_invalid(tokens) is None

    def explain_invalid(self, tokens: Sequence[int]) -> str | None:
        """Why the sequence is not valid, in one line; ``None`` if it is."""
        if len(tokens) != len(self.positions):
            return f"has {len(tokens)} tokens, the space has {len(self.positions)} positions"
        for index, (token, position) in enumerate(zip(tokens, self.positions, strict=True)):
            if not 0 <= token < len(position.choices):
                return f"token {token} at position {index} ({position.name}) is not in 0..{len(position.choices) - 1}"
            valid = self.choices(tokens[:index])
            if token not in valid:
                names = ", ".join(position.choices[choice] for choice in valid)
                return (
                    f"'{position.choices[token]}' at position {index} ({position.name}) cannot follow; valid: {names}"
                )
        return None

    def choice_mask(self, prefixes: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Valid choices after each of many prefixes.

        Args:
            prefixes: ``(n, t)`` valid prefixes of equal length ``t``.

        Returns:
            ``(n, c)`` booleans, ``c`` the number of choices at position ``t``.
        """
        mask = np.zeros((len(prefixes), len(self.positions[prefixes.shape[1]].choices)), dtype=np.bool_)
        seen: dict[Tokens, list[int]] = {}
        for row, prefix in enumerate(prefixes.tolist()):
            key = tuple(prefix)
            if key not in seen:
                seen[key] = list(self.choices(key))
            mask[row, seen[key]] = True
        return mask

    def valid_rows(self, tokens: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of the sequences ``(n, positions)`` are valid, as ``(n,)``."""
        limits = np.array([len(position.choices) for position in self.positions])
        valid = np.asarray(((tokens >= 0) & (tokens < limits)).all(axis=1))
        for index in range(len(self.positions)):
            rows = np.flatnonzero(valid)
            valid[rows] = self.choice_mask(tokens[rows, :index])[np.arange(len(rows)), tokens[rows, index]]
        return valid

    def identities(self, tokens: NDArray[np.int64]) -> NDArray[np.int64]:
        """The identity of each of the valid sequences ``(n, positions)``, in the same shape."""
        cls = type(self)
        if cls.identity is SearchSpace.identity and cls.canonical is SearchSpace.canonical:
            return tokens
        return np.array([self.identity(row) for row in tokens.tolist()], dtype=np.int64).reshape(tokens.shape)

    @property
    def distinct(self) -> int | None:
        """Number of distinct identities, where a space knows it."""
        return None

    def sample(self, rng: np.random.Generator) -> Architecture:
        """One valid sequence, uniformly.

        The default draws position by position, which is uniform if the number of completions never depends on what
        was chosen; a space in which it does refines this method.
        """
        tokens: list[int] = []
        for _ in self.positions:
            valid = self.choices(tokens)
            tokens.append(valid[int(rng.integers(len(valid)))])
        return self._trusted(tokens)

    def enumerate(self) -> Iterator[Architecture]:
        """All valid sequences in ascending order, lazily; equal architectures come as often as they have sequences."""
        stack: list[Tokens] = [()]
        while stack:
            prefix = stack.pop()
            if len(prefix) == len(self.positions):
                yield self._trusted(prefix)
            else:
                stack += [(*prefix, choice) for choice in reversed(self.choices(prefix))]

    def neighbours(self, architecture: Architecture) -> Iterator[Architecture]:
        """Distinct architectures one change away, in a fixed order; the architecture itself is not among them."""
        seen = {architecture}
        for index, position in enumerate(self.positions):
            for choice in range(len(position.choices)):
                tokens = (*architecture.tokens[:index], choice, *architecture.tokens[index + 1 :])
                if choice != architecture.tokens[index] and self.contains(tokens):
                    neighbour = self._trusted(tokens)
                    if neighbour not in seen:
                        seen.add(neighbour)
                        yield neighbour

    def mutate(self, architecture: Architecture, rng: np.random.Generator) -> Architecture:
        """A random neighbour; the architecture itself only where it has none."""
        neighbours = list(self.neighbours(architecture))
        return neighbours[int(rng.integers(len(neighbours)))] if neighbours else architecture

    # What follows.

    def architecture(self, tokens: Sequence[int]) -> Architecture:
        """The architecture with these tokens. Raises ``InputError`` with the reason if they are not valid."""
        tokens = tuple(int(token) for token in tokens)
        reason = self.explain_invalid(tokens)
        if reason is not None:
            raise InputError(f"{self.name} architecture", " ".join(map(str, tokens)), reason)
        return self._trusted(tokens)

    def values(self, architecture: Architecture) -> dict[str, Value]:
        """What is chosen at each position, by the position's name, as it was given to the space."""
        pairs = zip(self.positions, architecture.tokens, strict=True)
        return {position.name: position.values[token] for position, token in pairs}

    def architecture_of(self, values: Mapping[str, object]) -> Architecture:
        """Inverse of ``values``; any order.

        Raises:
            InputError: a name that no position has, one that is missing, a value (its type counts) that is no choice
                there, or a combination that is not valid.
        """
        if not isinstance(values, Mapping):
            raise InputError(f"values of {self.name}", values, "must be a dictionary, by the names of the positions")
        names = [position.name for position in self.positions]
        for name in values:
            if name not in names:
                raise UnknownNameError(f"position of {self.name}", str(name), names)
        missing = [name for name in names if name not in values]
        if missing:
            raise InputError(f"values of {self.name}", ", ".join(values), f"'{missing[0]}' is missing")
        return self.architecture([position.token(values[position.name]) for position in self.positions])

    def draw(self, architecture: Architecture) -> str:
        """The architecture's graph as a self-contained SVG."""
        from naopt.spaces.drawing import draw_graph

        return draw_graph(self.graph(architecture))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}: {len(self.positions)} positions>"

    def describe(self) -> str:
        """The space in one line: positions and size."""
        size = f"{self.size:,}" if self.size < 10**7 else f"about 10^{math.log10(self.size):.1f}"
        return f"{self.name}: {len(self.positions)} positions, {size} token sequences"

    def _free_choice_mask(self, prefixes: NDArray[np.int64]) -> NDArray[np.bool_]:
        """``choice_mask`` where every combination is valid."""
        return np.ones((len(prefixes), len(self.positions[prefixes.shape[1]].choices)), dtype=np.bool_)

    def _freely_mutated(self, architecture: Architecture, rng: np.random.Generator) -> Architecture:
        """``mutate`` where every combination is valid and a query of its own; draws the neighbour that it would."""
        chosen = sum(len(position.choices) - 1 for position in self.positions)
        if not chosen:
            return architecture
        chosen = int(rng.integers(chosen))
        tokens = list(architecture.tokens)
        for index, position in enumerate(self.positions):
            others = len(position.choices) - 1
            if chosen < others:
                tokens[index] = chosen + (chosen >= tokens[index])
                break
            chosen -= others
        return self._trusted(tokens)

    def _trusted(self, tokens: Sequence[int]) -> Architecture:
        """An architecture from tokens that are known to be valid."""
        tokens = tuple(tokens)
        return Architecture(self.name, tokens, self.identity(tokens))
