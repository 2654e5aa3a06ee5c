"""The space of NAS-Bench-101 (Ying et al. 2019): an operation on each of up to five inner vertices, up to nine edges.

Tokens as in SemiNAS (Luo et al. 2020): for the vertices 1 .. 6 one token for each edge that may come in, then the
operation; vertex 6 is the output. SemiNAS cannot decode cells with fewer than seven vertices. Here an inner vertex may
be absent: its operation is ``none`` and its edges are missing, and absent vertices come last.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from naopt.spaces import nasbench101_cells as cells
from naopt.spaces import nasbench101_rows as rows
from naopt.spaces.base import Architecture, SearchSpace, Tokens
from naopt.spaces.graph import Edge, Graph, Node
from naopt.spaces.nasbench101_cells import EDGES, INNER, LENGTH, OFFSETS, OPERATIONS, OUTPUT
from naopt.spaces.nasbench101_matrix import MODULES, cell_of_matrix, matrix_of, module_hash
from naopt.spaces.nasbench101_network import quantities
from naopt.spaces.nasbench101_text import PREFIX, read_cell, write_cell
from naopt.spaces.position import Position
from naopt.spaces.registry import spaces

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def _positions() -> Iterator[Position]:
    for vertex in range(1, OUTPUT + 1):
        target = "output" if vertex == OUTPUT else str(vertex)
        for source in range(vertex):
            yield Position(f"{source}->{target}", ("no", "yes"), "edge")
        choices = ("output",) if vertex == OUTPUT else ("none", *OPERATIONS)
        yield Position(f"operation {target}", choices, "operation")


@spaces.register("nasbench101")
class NASBench101Space(SearchSpace):
    """Up to five inner vertices with one of three operations each, at most nine edges: 423,624 cells.

    Every vertex of a valid sequence lies on a path from input to output; the benchmark drops the others before it
    looks a cell up, as ``from_matrix`` does. The canonical form is the smallest token sequence among all numberings of
    the vertices; canonical forms and the benchmark's isomorphism hash tell the same cells apart. Each cell is one
    query.
    """

    name = "nasbench101"
    positions = tuple(_positions())

    @classmethod
    def claims(cls, text: str) -> NASBench101Space | None:
        """This space, if an architecture's text reads like one of its own."""
        return cls() if text.startswith(PREFIX) else None

    # Validity.

    def choices(self, prefix: Sequence[int]) -> Tokens:
        """What leaves enough of the nine edges for every vertex to reach the output."""
        vertex, edges, used, started, absent = 1, 0, 0, False, False
        source = 0
        for token in prefix:
            if source < vertex:
                if token:
                    started, edges, used = True, edges + 1, used | 1 << source
                source += 1
            else:
                absent = absent or not started
                vertex, source, started = vertex + 1, 0, False
        present = vertex - 1 if not absent else self._inner(prefix)
        if source == vertex:
            if vertex == OUTPUT:
                return (0,)
            return (1, 2, 3) if started else (0,)
        loose = present + 1 - used.bit_count()
        fresh = not used >> source & 1
        if vertex == OUTPUT:
            if source > present:
                return (0,)
            if fresh:
                return (1,)
            return (0, 1) if edges + 1 + loose <= EDGES else (0,)
        if absent:
            return (0,)
        return (0, 1) if edges + 1 + loose - fresh + 1 <= EDGES else (0,)

    @staticmethod
    def _inner(tokens: Sequence[int]) -> int:
        """How many inner vertices the tokens so far have, absent ones left out."""
        kinds = (start + vertex for vertex, start in enumerate(OFFSETS[:INNER], 1))
        return sum(bool(tokens[at]) for at in kinds if at < len(tokens))

    def choice_mask(self, prefixes: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Valid choices after each of many prefixes ``(n, t)``, computed for all at once."""
        count, length = prefixes.shape
        vertex = bisect.bisect_right(OFFSETS, length)
        source = length - OFFSETS[vertex - 1]
        on = prefixes != 0
        used = np.zeros((count, OUTPUT + 1), dtype=np.bool_)
        edges = np.zeros(count, dtype=np.int64)
        present = np.zeros(count, dtype=np.int64)
        for column, start in enumerate(OFFSETS[:vertex], 1):
            block = on[:, start : min(start + column, length)]
            used[:, : block.shape[1]] |= block
            edges += block.sum(axis=1)
            if column < vertex:
                present += on[:, start + column]
        started = on[:, OFFSETS[vertex - 1] :].any(axis=1)
        mask = np.zeros((count, len(self.positions[length].choices)), dtype=np.bool_)
        if source == vertex:
            mask[:, 0] = ~started | (vertex == OUTPUT)
            mask[:, 1:] = started[:, None]
            return mask
        loose = present + 1 - used.sum(axis=1)
        fresh = ~used[:, source]
        if vertex == OUTPUT:
            there = source <= present
            mask[:, 0] = ~(there & fresh)
            mask[:, 1] = there & (fresh | (edges + 1 + loose <= EDGES))
        else:
            mask[:, 0] = True
            mask[:, 1] = (present == vertex - 1) & (edges + 1 + loose - fresh + 1 <= EDGES)
        return mask

    def contains(self, tokens: Sequence[int]) -> bool:
        """Whether the sequence is valid."""
        keys = cells.keys_of(tokens)
        return keys is not None and cells.valid_keys(keys)

    def explain_invalid(self, tokens: Sequence[int]) -> str | None:
        """Why the sequence is not valid, in one line; ``None`` if it is."""
        return None if self.contains(tokens) else super().explain_invalid(tokens)

    def valid_rows(self, tokens: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Which of the rows ``(n, 27)`` are valid, as ``(n,)``; 0.4 microseconds a row."""
        return rows.valid_token_rows(tokens)

    # Counts.

    @property
    def size(self) -> int:
        """Number of valid token sequences."""
        return cells.completions(1, 0, 1)

    @property
    def distinct(self) -> int:
        """Number of cells (Ying et al. 2019, section 2.1)."""
        return 423_624

    def sample(self, rng: np.random.Generator) -> Architecture:
        """A valid sequence, uniformly: a cell is drawn in proportion to the number of its sequences."""
        keys: list[int] = []
        edges = used = 0
        for vertex in range(1, OUTPUT):
            options, totals = cells.continuations(vertex, edges, used)
            key = options[bisect.bisect_right(totals, int(rng.integers(totals[-1])))]
            if not key:
                break
            keys.append(key)
            edges, used = edges + (key >> 2).bit_count(), used | key >> 2
        ends = cells.endings(len(keys) + 1, edges, used)
        end = ends[int(rng.integers(len(ends)))]
        return self._trusted(cells.tokens_of((*keys, *[0] * (INNER - len(keys)), end)))

    # Symmetry.

    def canonical(self, tokens: Sequence[int]) -> Tokens:
        """The smallest sequence among all numberings of the vertices."""
        return cells.canonical_tokens(self._cell(tokens))

    def identities(self, tokens: NDArray[np.integer]) -> NDArray[np.int64]:
        """Canonical forms of valid rows, ``(n, 27)`` to ``(n, 27)``; about a microsecond a row."""
        return rows.token_rows(rows.canonical_key_rows(rows.key_rows(tokens))).astype(np.int64)

    def symmetries(self, tokens: Sequence[int]) -> Iterator[Tokens]:
        """The sequence, then the other numberings of its vertices in ascending order; at most 120 in all."""
        tokens = tuple(tokens)
        yield tokens
        yield from (other for other in cells.numberings(self._cell(tokens)) if other != tokens)

    def symmetric(self, tokens: Sequence[int], rng: np.random.Generator) -> Tokens:
        """Another numbering of the vertices, uniform over all distinct sequences."""
        every = _numberings(tuple(tokens))
        return every[int(rng.integers(len(every)))]

    # Change.

    def neighbours(self, architecture: Architecture) -> Iterator[Architecture]:
        """One operation or one edge changed, or one vertex more or less, in canonical form.

        A vertex that comes has one input and one consumer, and lies on an edge between them or beside it; one that
        goes is such a vertex. A cell with nine edges has to lose one before it can gain one.
        """
        seen = {architecture}
        for cell in cells.changes(self._cell(architecture.identity)):
            neighbour = self._of(cell)
            if neighbour not in seen:
                seen.add(neighbour)
                yield neighbour

    def mutate(self, architecture: Architecture, rng: np.random.Generator) -> Architecture:
        """A random change, each possible one with the same probability."""
        changed = cells.changes(self._cell(architecture.identity))
        return self._of(changed[int(rng.integers(len(changed)))])

    # Meaning.

    def matrix(self, architecture: Architecture) -> tuple[NDArray[np.int64], tuple[str, ...]]:
        """Adjacency ``(v, v)``, upper triangular, and the benchmark's names of the ``v`` operations, 2 <= v <= 7."""
        return matrix_of(self._cell(architecture.tokens))

    def from_matrix(self, adjacency: ArrayLike, operations: Sequence[str]) -> Architecture:
        """The cell with this adjacency; see ``cell_of_matrix``. Raises ``InputError`` if there is none."""
        return self._trusted(self._tokens(cell_of_matrix(adjacency, operations)))

    def module_hash(self, architecture: Architecture) -> str:
        """The benchmark's hash of the cell, by which its files list cells; equal exactly for equal architectures."""
        matrix, operations = self.matrix(architecture)
        return module_hash(matrix.tolist(), [-1, *map(MODULES.index, operations[1:-1]), -2])

    def graph(self, architecture: Architecture) -> Graph:
        """Input, inner vertices with their operations as labels, output."""
        cell = self._cell(architecture.tokens)
        inner = (Node(OPERATIONS[kind - 1], "cell") for kind in cell.kinds)
        nodes = (Node("input", "cell", "input"), *inner, Node("output", "cell", "output"))
        masks = (*cell.inputs, cell.output)
        edges = (
            (source, target)
            for source in range(len(masks))
            for target, mask in enumerate(masks, 1)
            if mask >> source & 1
        )
        return Graph(nodes, tuple(Edge(source, target) for source, target in edges))

    def quantities(self, architecture: Architecture) -> Mapping[str, float]:
        """Parameters of the benchmark's network, channels and weights by operation; see ``nasbench101_network``.

        They depend on the numbering where channels cannot be shared out evenly, the parameters by at most 1.4 %.
        """
        return quantities(self._cell(architecture.tokens))

    # Text.

    def format(self, architecture: Architecture) -> str:
        """``nasbench101:conv3x3@0,maxpool3x3@0+1,output@1+2``: a vertex a comma, its inputs after ``@``."""
        return write_cell(self._cell(architecture.tokens))

    def parse(self, text: str) -> Architecture:
        """Inverse of ``format``; space around the text is ignored."""
        return self.architecture(self._tokens(read_cell(text)))

    # Tokens.

    @staticmethod
    def _tokens(cell: cells.Cell) -> Tokens:
        """Tokens of a cell numbered so that inputs come first."""
        tokens = [0] * LENGTH
        columns = (*range(1, len(cell.kinds) + 1), OUTPUT)
        for column, mask, kind in zip(columns, (*cell.inputs, cell.output), (*cell.kinds, 0), strict=True):
            start = OFFSETS[column - 1]
            tokens[start : start + column] = [mask >> source & 1 for source in range(column)]
            tokens[start + column] = kind
        return tuple(tokens)

    @staticmethod
    def _cell(tokens: Sequence[int]) -> cells.Cell:
        keys = cells.keys_of(tokens)
        assert keys is not None, "tokens out of range"
        return cells.cell_of(keys)

    def _of(self, cell: cells.Cell) -> Architecture:
        tokens = cells.canonical_tokens(cell)
        return Architecture(self.name, tokens, tokens)


@lru_cache(maxsize=2**14)
def _numberings(tokens: Tokens) -> tuple[Tokens, ...]:
    """Kept by their tokens: whoever learns from random counterparts asks for those of the same few every time."""
    return cells.numberings(NASBench101Space._cell(tokens))
