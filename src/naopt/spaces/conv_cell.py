"""The space of convolutional cells: a normal and a reduction cell of B nodes each (NAO, section 2 and appendix).

Tokens, cell by cell, node by node: ``input, operation, input, operation``, where the operation is one token, or a type
and a size (operation set ``nao-11``: 60 tokens for B = 5, as in the paper). Input 0 is the output of cell k-2, input 1
that of cell k-1, input i the i-2nd node.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from naopt.errors import InputError, UnknownNameError
from naopt.spaces.base import Architecture, SearchSpace, Tokens
from naopt.spaces.canonical import Branch, CellNodes, canonical_cell
from naopt.spaces.cell_spec import CELLS, OUTPUTS, CellSpec, cells_graph
from naopt.spaces.cell_text import read_cells, write_cells
from naopt.spaces.graph import Graph
from naopt.spaces.operations import OPERATION_SETS, operation_set, operation_specs
from naopt.spaces.position import Place, Position
from naopt.spaces.registry import spaces

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_NODES = 16


@spaces.register("conv-cell")
class ConvCellSpace(SearchSpace):
    """Normal and reduction cell of B nodes, two branches a node.

    Args:
        nodes: B, the number of nodes a cell; 5 in the paper.
        operations: a set (``nao-11``, ``enas-5``, ``darts-7`` ...) or registered operations joined by ``+``.
        output: what a cell's output joins, its ``loose-ends`` or all its ``nodes``.

    Equality of architectures is isomorphism of the labelled cell graphs: branch order and node order do not matter.
    Every node reaches the cell's output, so no part is ever unused.
    """

    skips = frozenset({"identity"})

    def __init__(self, nodes: int = 5, operations: str = "nao-11", output: str = OUTPUTS[0]) -> None:
        if not 1 <= nodes <= MAX_NODES:
            raise InputError("space option nodes", nodes, f"must be in 1..{MAX_NODES}")
        if output not in OUTPUTS:
            raise UnknownNameError("space option output", output, OUTPUTS)
        self.nodes, self.output = nodes, output
        self.operations = operation_set(operations)
        options = [f"nodes={nodes}"] * (nodes != 5)
        options += [f"operations={self.operations.name}"] * (self.operations.name != "nao-11")
        options += [f"output={output}"] * (output != OUTPUTS[0])
        self.name = ":".join(["conv-cell", *([",".join(options)] if options else [])])
        specs = [operation_specs.get(name) for name in self.operations.operations]
        self._words: list[Tokens]
        vocabulary: tuple[tuple[str, tuple[str, ...]], ...]
        if self.operations.split:
            self._types = tuple(dict.fromkeys(spec.type for spec in specs))
            self._sizes = tuple(dict.fromkeys(spec.size for spec in specs))
            self._words = [(self._types.index(spec.type), self._sizes.index(spec.size)) for spec in specs]
            vocabulary = (("type", self._types), ("size", self._sizes))
        else:
            self._types = self.operations.operations
            self._sizes = ()
            self._words = [(index,) for index in range(len(specs))]
            vocabulary = (("operation", self._types),)
        self._operation_of = {word: index for index, word in enumerate(self._words)}
        self.tokens_per_step = 1 + len(vocabulary)
        self.positions = tuple(
            Position(f"{cell}/{node + 2}/{side}/{kind}", choices, kind, place=Place(cell, node + 2, kind == "input"))
            for cell in CELLS
            for node in range(nodes)
            for side in "ab"
            for kind, choices in (("input", tuple(map(str, range(node + 2)))), *vocabulary)
        )
        self._valid_sizes = np.zeros((len(self._types), len(self._sizes)), dtype=np.bool_)
        for word in self._words:
            if self._sizes:
                self._valid_sizes[word] = True
        self._canonical = lru_cache(maxsize=20_000)(self._compute_canonical)

    def __reduce__(self) -> tuple[type[ConvCellSpace], tuple[int, str, str]]:
        return type(self), (self.nodes, self.operations.name, self.output)

    @classmethod
    def claims(cls, text: str) -> ConvCellSpace | None:
        """The space that an architecture's text belongs to, if it reads like one of this family.

        The text holds only the operations that are used: the first known set that has them all is taken, else the
        registered ones among them.
        """
        if not text.startswith("normal:"):
            return None
        names = set(re.findall(r"[^@+,/:\s]+(?=@)", text))
        nodes = min(text.split("/")[0].count(",") + 1, MAX_NODES)
        output = next((output for output in OUTPUTS[1:] if text.endswith(f"/output:{output}")), OUTPUTS[0])
        for known in OPERATION_SETS.values():
            if names <= set(known.operations):
                return cls(nodes, known.name, output)
        registered = [name for name in operation_specs.names() if name in names]
        return cls(nodes, "+".join(registered) or "nao-11", output)

    # Validity.

    def choices(self, prefix: Sequence[int]) -> Tokens:
        """Every choice, except for a size, which must go with the type before it."""
        position = self.positions[len(prefix)]
        if position.kind == "size":
            return tuple(int(size) for size in np.flatnonzero(self._valid_sizes[prefix[-1]]))
        return tuple(range(len(position.choices)))

    def choice_mask(self, prefixes: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Valid choices after each of many prefixes; see ``SearchSpace.choice_mask``."""
        position = self.positions[prefixes.shape[1]]
        if position.kind == "size":
            mask: NDArray[np.bool_] = self._valid_sizes[prefixes[:, -1]]
            return mask
        return np.ones((len(prefixes), len(position.choices)), dtype=np.bool_)

    @property
    def size(self) -> int:
        """``(prod_i ((i + 1) * operations)^2)^2``."""
        return math.prod(((node + 2) * len(self._words)) ** 2 for node in range(self.nodes)) ** 2

    def sample(self, rng: np.random.Generator) -> Architecture:
        """Inputs and operations uniform, hence sequences uniform."""
        operations = len(self._words)

        def branch(node: int) -> Branch:
            return int(rng.integers(node + 2)), int(rng.integers(operations))

        return self._build([tuple((branch(node), branch(node)) for node in range(self.nodes)) for _ in CELLS])

    # Symmetry.

    def canonical(self, tokens: Sequence[int]) -> Tokens:
        """One sequence for all isomorphic ones; see ``canonical_cell``."""
        return self._canonical(tuple(tokens))

    def _compute_canonical(self, tokens: Tokens) -> Tokens:
        return self._encode([canonical_cell(cell) for cell in self._decode(tokens)])

    def symmetric(self, tokens: Sequence[int], rng: np.random.Generator) -> Tokens:
        """The two branches of each node swapped or not, by a fair coin (one of the 2^(2B) counterparts)."""
        swaps = rng.integers(2, size=len(CELLS) * self.nodes)
        return self._swap(tokens, swaps.tolist())

    def symmetries(self, tokens: Sequence[int]) -> Iterator[Tokens]:
        """All branch swaps, lazily; equal sequences come once."""
        seen = set()
        count = len(CELLS) * self.nodes
        for bits in range(2**count):
            swapped = self._swap(tokens, [bits >> index & 1 for index in range(count)])
            if swapped not in seen:
                seen.add(swapped)
                yield swapped

    def _swap(self, tokens: Sequence[int], swaps: Sequence[int]) -> Tokens:
        width = self.tokens_per_step
        out: list[int] = []
        for node, swap in enumerate(swaps):
            left = tokens[2 * node * width : (2 * node + 1) * width]
            right = tokens[(2 * node + 1) * width : (2 * node + 2) * width]
            out += [*right, *left] if swap else [*left, *right]
        return tuple(out)

    # Change.

    def neighbours(self, architecture: Architecture) -> Iterator[Architecture]:
        """One input or one operation changed (an operation may be two tokens).

        A branch may take any input that closes no cycle, those numbered after its node included (Real et al. 2019,
        "hidden state mutation"): so equal architectures have equal neighbours, whatever their numbering.
        """
        seen = {architecture}
        cells = self._decode(architecture.tokens)
        for at in range(4 * self.nodes):
            for branch in self._alternatives(cells, at):
                neighbour = self._with_branch(cells, at, branch)
                if neighbour not in seen:
                    seen.add(neighbour)
                    yield neighbour

    def mutate(self, architecture: Architecture, rng: np.random.Generator) -> Architecture:
        """A random branch gets another input or another operation."""
        cells = self._decode(architecture.tokens)
        while True:  # ends: the first node's input can be exchanged, which no renumbering undoes
            at = int(rng.integers(4 * self.nodes))
            alternatives = self._alternatives(cells, at)
            mutant = self._with_branch(cells, at, alternatives[int(rng.integers(len(alternatives)))])
            if mutant != architecture:
                return mutant

    def _alternatives(self, cells: Sequence[CellNodes], at: int) -> list[Branch]:
        cell, node, side = self._place(at)
        input_, operation = cells[cell][node][side]
        blocked = {node + 2}
        for later in range(node + 1, self.nodes):
            if any(source in blocked for source, _ in cells[cell][later]):
                blocked.add(later + 2)
        inputs = [other for other in range(self.nodes + 2) if other != input_ and other not in blocked]
        operations = [other for other in range(len(self._words)) if other != operation]
        return [(other, operation) for other in inputs] + [(input_, other) for other in operations]

    def _with_branch(self, cells: Sequence[CellNodes], at: int, branch: Branch) -> Architecture:
        cell, node, side = self._place(at)
        nodes = list(cells[cell])
        nodes[node] = (branch, nodes[node][1]) if side == 0 else (nodes[node][0], branch)
        changed = tuple(nodes) if branch[0] < node + 2 else canonical_cell(tuple(nodes))
        return self._build([changed if index == cell else other for index, other in enumerate(cells)])

    def _place(self, at: int) -> tuple[int, int, int]:
        """Cell, node and side of the branch that stands ``at`` in the order of the tokens."""
        return at // (2 * self.nodes), at // 2 % self.nodes, at % 2

    # Meaning.

    def cells(self, architecture: Architecture) -> dict[str, CellSpec]:
        """The normal and the reduction cell in words."""
        names = self.operations.operations
        return {
            cell: CellSpec(
                tuple(((a[0], names[a[1]]), (b[0], names[b[1]])) for a, b in nodes), self.output
            )
            for cell, nodes in zip(CELLS, self._decode(architecture.tokens), strict=True)
        }  # fmt: skip

    def from_cells(self, normal: CellSpec, reduction: CellSpec) -> Architecture:
        """Inverse of ``cells``. Raises ``InputError`` for a wrong node count, input, operation or output."""
        encoded = []
        for name, cell in zip(CELLS, (normal, reduction), strict=True):
            if len(cell.nodes) != self.nodes:
                raise InputError(f"{name} cell", f"{len(cell.nodes)} nodes", f"the space has {self.nodes}")
            if cell.output != self.output:
                raise InputError(f"{name} cell's output", cell.output, f"the space's cells join {self.output}")
            nodes = []
            for index, node in enumerate(cell.nodes):
                for source, operation in node:
                    if operation not in self.operations.operations:
                        raise InputError("operation", operation, f"not in the set {self.operations.name}")
                    if not 0 <= source < index + 2:
                        raise InputError("input", source, f"node {index + 2} takes inputs 0..{index + 1}")
                (i, x), (j, y) = node
                nodes.append(((i, self.operations.operations.index(x)), (j, self.operations.operations.index(y))))
            encoded.append(tuple(nodes))
        return self._build(tuple(encoded))

    def graph(self, architecture: Architecture) -> Graph:
        """Two parts, one a cell; operations on edges; what the output joins."""
        return cells_graph(self.cells(architecture))

    # Text.

    def format(self, architecture: Architecture) -> str:
        """``normal:conv3x3@0+avg_pool5x5@1,.../reduction:...``, a node a comma, an input after each ``@``.

        ``/output:nodes`` ends the text where all nodes are joined.
        """
        return write_cells(self.cells(architecture)) + self._suffix

    @property
    def _suffix(self) -> str:
        return "" if self.output == OUTPUTS[0] else f"/output:{self.output}"

    def parse(self, text: str) -> Architecture:
        """Inverse of ``format``; space around the text is ignored."""
        names = self.operations
        return self._build(read_cells(text, self.nodes, names.operations, names.name, self._suffix))

    # Tokens.

    def _branch(self, tokens: Tokens, at: int) -> Branch:
        start = at * self.tokens_per_step
        return tokens[start], self._operation_of[tokens[start + 1 : start + self.tokens_per_step]]

    def _decode(self, tokens: Tokens) -> tuple[CellNodes, ...]:
        branches = [self._branch(tokens, at) for at in range(4 * self.nodes)]
        nodes = list(zip(branches[::2], branches[1::2], strict=True))
        return tuple(nodes[: self.nodes]), tuple(nodes[self.nodes :])

    def _encode(self, cells: Sequence[CellNodes]) -> Tokens:
        return tuple(
            token
            for cell in cells
            for node in cell
            for source, operation in node
            for token in (source, *self._words[operation])
        )

    def _build(self, cells: Sequence[CellNodes]) -> Architecture:
        return self._trusted(self._encode(cells))
