"""The space of NAS-Bench-201 (Dong & Yang 2020): four nodes, an operation on each of the six edges.

Tokens, as in the benchmark's tables: edges 0->1, 0->2, 1->2, 0->3, 1->3, 2->3. Text form: the benchmark's own.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from naopt.spaces.base import Architecture, SearchSpace, Tokens
from naopt.spaces.graph import Edge, Graph, Node
from naopt.spaces.position import Position
from naopt.spaces.reading import Reader
from naopt.spaces.registry import spaces

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
_SWAPPED = (1, 0, 2, 3, 5, 4)
"""Edge order after nodes 1 and 2 are exchanged; edge 1->2 has to be ``none``."""
_CHANNELS, _CELLS = (16, 32, 64), 5
"""Channels of the published network's stages, and cells in each (Dong & Yang 2020, section 2.1)."""


def _weights(taps: int, inputs: int, outputs: int) -> int:
    """Parameters of a convolution without bias and of the batch normalisation after it."""
    return taps * inputs * outputs + 2 * outputs


@lru_cache(maxsize=5**6)
def _canonical(tokens: Tokens) -> Tokens:
    forward, backward = {0}, {3}
    for (a, b), token in zip(EDGES, tokens, strict=True):
        if token and a in forward:
            forward.add(b)
    for (a, b), token in reversed(list(zip(EDGES, tokens, strict=True))):
        if token and b in backward:
            backward.add(a)
    live = tuple(token if a in forward and b in backward else 0 for (a, b), token in zip(EDGES, tokens, strict=True))
    return min(_symmetries(live))


def _symmetries(tokens: Tokens) -> Iterator[Tokens]:
    yield tokens
    swapped = tuple(tokens[edge] for edge in _SWAPPED)
    if tokens[2] == 0 and swapped != tokens:
        yield swapped


_REST = (
    _weights(9, 3, _CHANNELS[0])
    + sum(_weights(9, a, b) + _weights(9, b, b) + a * b for a, b in itertools.pairwise(_CHANNELS))
    + 2 * _CHANNELS[-1]
    + (_CHANNELS[-1] + 1) * 10
)
"""Stem, residual blocks between stages (their shortcuts are bare 1x1 convolutions), last normalisation, classifier."""
_PARAMETERS = tuple(sum(_CELLS * _weights(n, c, c) for c in _CHANNELS) if n else 0 for n in (0, 0, 1, 9, 0))
"""Parameters that an operation adds to the network wherever it stands."""


@spaces.register("nasbench201")
class NASBench201Space(SearchSpace):
    """Six edges, five operations each: 15,625 cells.

    The canonical form drops what cannot reach the output from the input and orders the two inner nodes. As in all
    published figures each of the 15,625 cells is a query of its own, so ``identity`` is the token sequence itself.
    """

    name = "nasbench201"
    positions = tuple(Position(f"{a}->{b}", OPERATIONS, "operation") for a, b in EDGES)
    skips = frozenset({"skip_connect"})

    @classmethod
    def claims(cls, text: str) -> NASBench201Space | None:
        """This space, if an architecture's text reads like one of its own."""
        return cls() if text.startswith("|") else None

    def choices(self, prefix: Sequence[int]) -> Tokens:  # noqa: ARG002
        """Every operation, everywhere."""
        return tuple(range(len(OPERATIONS)))

    def choice_mask(self, prefixes: NDArray[np.int64]) -> NDArray[np.bool_]:
        """All true; see ``SearchSpace.choice_mask``."""
        return self._free_choice_mask(prefixes)

    @property
    def size(self) -> int:
        """5^6."""
        return math.prod(len(position.choices) for position in self.positions)

    def canonical(self, tokens: Sequence[int]) -> Tokens:
        """Edges that carry nothing to the output become ``none``; then the smaller of the two node orders."""
        return _canonical(tuple(map(int, tokens)))

    def identity(self, tokens: Sequence[int]) -> Tokens:
        """The sequence itself: one query a table row, as the benchmark's users count."""
        return tuple(tokens)

    def identities(self, tokens: NDArray[np.int64]) -> NDArray[np.int64]:
        """The sequences themselves."""
        return tokens

    def symmetries(self, tokens: Sequence[int]) -> Iterator[Tokens]:
        """The sequence and, if nothing flows from node 1 to node 2, the one with the two exchanged."""
        return _symmetries(tuple(tokens))

    def symmetric(self, tokens: Sequence[int], rng: np.random.Generator) -> Tokens:
        """One of ``symmetries``, by a fair coin."""
        both = list(self.symmetries(tokens))
        return both[int(rng.integers(len(both)))]

    def sample(self, rng: np.random.Generator) -> Architecture:
        """One of all cells, uniformly; the same draws as position by position."""
        return self._trusted(rng.integers(len(OPERATIONS), size=len(EDGES)).tolist())

    def mutate(self, architecture: Architecture, rng: np.random.Generator) -> Architecture:
        """A random neighbour, without going through all of them."""
        return self._freely_mutated(architecture, rng)

    def graph(self, architecture: Architecture) -> Graph:
        """Four nodes; an edge with ``none`` is left out."""
        nodes = (Node("in", "cell", "input"), Node("1", "cell"), Node("2", "cell"), Node("out", "cell", "output"))
        edges = (
            Edge(a, b, OPERATIONS[token]) for (a, b), token in zip(EDGES, architecture.tokens, strict=True) if token
        )
        return Graph(nodes, tuple(edges))

    def quantities(self, architecture: Architecture) -> Mapping[str, float]:
        """``parameters`` of the benchmark's network for CIFAR-10, with those of edges that do not matter."""
        return {"parameters": float(_REST + sum(_PARAMETERS[token] for token in architecture.tokens))}

    def format(self, architecture: Architecture) -> str:
        """The benchmark's string: ``|nor_conv_3x3~0|+|nor_conv_3x3~0|none~1|+|...|``."""
        words = [f"{OPERATIONS[token]}~{a}|" for (a, _), token in zip(EDGES, architecture.tokens, strict=True)]
        return "+".join("|" + "".join(words[start:stop]) for start, stop in ((0, 1), (1, 3), (3, 6)))

    def parse(self, text: str) -> Architecture:
        """Inverse of ``format``; space around the text is ignored."""
        reader, tokens = Reader(text), []
        for index, (a, _) in enumerate(EDGES):
            if index in (0, 1, 3):
                reader.expect("+|" if index else "|")
            operation = next((o for o in OPERATIONS if reader.text.startswith(f"{o}~", reader.at)), None)
            if operation is None:
                raise reader.wrong(f"expected one of {', '.join(OPERATIONS)} and '~'")
            tokens.append(OPERATIONS.index(operation))
            reader.at += len(operation)
            reader.expect(f"~{a}|")
        reader.end("expected the end")
        return self.architecture(tokens)
