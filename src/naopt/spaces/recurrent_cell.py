"""The space of recurrent cells: a tree of nodes, each with a predecessor and an activation (NAO, appendix).

Tokens, node by node: ``predecessor, activation``. Node 0 is the cell's first state, made of the input and the last
output, and is not searched; node i (1 ... B) takes one of the nodes 0 ... i - 1. The paper counts node 0: its B = 12 is
11 here, and 22 tokens.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from naopt.errors import InputError
from naopt.spaces.activations import NAO_4, activation_names, activation_specs
from naopt.spaces.base import Architecture, SearchSpace, Tokens
from naopt.spaces.graph import Edge, Graph, Node
from naopt.spaces.position import Place, Position
from naopt.spaces.reading import Reader
from naopt.spaces.registry import spaces
from naopt.spaces.trees import Tree, all_orders, canonical_tree, descendants, random_order

if TYPE_CHECKING:
    from numpy.typing import NDArray

PREFIX = "recurrent:"
MAX_NODES = 64
DEFAULT_NODES, DEFAULT_ACTIVATIONS = 11, "+".join(NAO_4)


@dataclass(frozen=True, slots=True)
class RecurrentSpec:
    """A recurrent cell in words: per node 1 ... B its (predecessor, activation name); node 0 is the first state."""

    nodes: tuple[tuple[int, str], ...]

    def loose_ends(self) -> tuple[int, ...]:
        """Nodes that are no node's predecessor; the output of ENAS' cell is their mean (NAO's: that of all nodes)."""
        used = {predecessor for predecessor, _ in self.nodes}
        return tuple(node for node in range(1, len(self.nodes) + 1) if node not in used)


@spaces.register("recurrent-cell")
class RecurrentCellSpace(SearchSpace):
    """Recurrent cell of B nodes, a predecessor and an activation each.

    Args:
        nodes: B, the number of searched nodes; 11 in the paper, which counts the first state too (B = 12).
        activations: registered activations joined by ``+``.

    Equality of architectures is isomorphism of the labelled rooted trees: the cell's output is a mean over nodes, so
    their numbering does not matter, and every node reaches it.
    """

    tokens_per_step = 2

    def __init__(self, nodes: int = DEFAULT_NODES, activations: str = DEFAULT_ACTIVATIONS) -> None:
        if not 1 <= nodes <= MAX_NODES:
            raise InputError("space option nodes", nodes, f"must be in 1..{MAX_NODES}")
        self.nodes = nodes
        self.activations = activation_names(activations)
        joined = "+".join(self.activations)
        options = [f"nodes={nodes}"] * (nodes != DEFAULT_NODES)
        options += [f"activations={joined}"] * (joined != DEFAULT_ACTIVATIONS)
        self.name = ":".join(["recurrent-cell", *([",".join(options)] if options else [])])
        self.positions = tuple(
            position
            for node in range(1, nodes + 1)
            for position in (
                Position(f"{node}/input", tuple(map(str, range(node))), "input", place=Place("recurrent", node, True)),
                Position(f"{node}/activation", self.activations, "activation", place=Place("recurrent", node)),
            )
        )
        self._canonical = lru_cache(maxsize=20_000)(self._compute_canonical)

    def __reduce__(self) -> tuple[type[RecurrentCellSpace], tuple[int, str]]:
        return type(self), (self.nodes, "+".join(self.activations))

    @classmethod
    def claims(cls, text: str) -> RecurrentCellSpace | None:
        """The space that an architecture's text belongs to, if it reads like one of this family.

        The text holds only the activations that are used: the paper's four are taken if they have them all.
        """
        if not text.startswith(PREFIX):
            return None
        names = set(re.findall(r"[^@+,/:\s]+(?=@)", text))
        nodes = min(text.count(",") + 1, MAX_NODES)
        known = activation_specs.names()
        if names <= set(NAO_4) or not names <= set(known):
            return cls(nodes)
        return cls(nodes, "+".join(name for name in known if name in names))

    # Validity.

    def choices(self, prefix: Sequence[int]) -> Tokens:
        """Every choice, everywhere."""
        return tuple(range(len(self.positions[len(prefix)].choices)))

    def choice_mask(self, prefixes: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Valid choices after each of many prefixes; see ``SearchSpace.choice_mask``."""
        return np.ones((len(prefixes), len(self.positions[prefixes.shape[1]].choices)), dtype=np.bool_)

    @property
    def size(self) -> int:
        """``B! * activations^B``."""
        return math.factorial(self.nodes) * math.prod([len(self.activations)] * self.nodes)

    # Symmetry.

    def canonical(self, tokens: Sequence[int]) -> Tokens:
        """One sequence for all isomorphic ones; see ``canonical_tree``."""
        return self._canonical(tuple(tokens))

    def _compute_canonical(self, tokens: Tokens) -> Tokens:
        return _encode(canonical_tree(_decode(tokens)))

    def symmetric(self, tokens: Sequence[int], rng: np.random.Generator) -> Tokens:
        """The nodes renumbered at random, uniformly over all sequences that stand for the same tree."""
        return _encode(random_order(_decode(tokens), rng))

    def symmetries(self, tokens: Sequence[int]) -> Iterator[Tokens]:
        """All renumberings in which predecessors come first, lazily; equal sequences come once."""
        tokens = tuple(tokens)
        yield tokens
        for tree in all_orders(_decode(tokens)):
            if (other := _encode(tree)) != tokens:
                yield other

    # Change.

    def neighbours(self, architecture: Architecture) -> Iterator[Architecture]:
        """One predecessor or one activation changed.

        A node may take any predecessor that closes no cycle, those numbered after it included: so equal architectures
        have equal neighbours, whatever their numbering.
        """
        seen = {architecture}
        tree = _decode(architecture.tokens)
        for node in range(1, self.nodes + 1):
            for change in self._alternatives(tree, node):
                neighbour = self._with_node(tree, node, change)
                if neighbour not in seen:
                    seen.add(neighbour)
                    yield neighbour

    def mutate(self, architecture: Architecture, rng: np.random.Generator) -> Architecture:
        """A random node gets another predecessor or another activation; the only architecture of a space stays."""
        if self.size == 1:
            return architecture
        tree = _decode(architecture.tokens)
        while True:  # ends: some node can be hung deeper or higher, or have another activation
            node = int(rng.integers(self.nodes)) + 1
            if alternatives := self._alternatives(tree, node):
                mutant = self._with_node(tree, node, alternatives[int(rng.integers(len(alternatives)))])
                if mutant != architecture:
                    return mutant

    def _alternatives(self, tree: Tree, node: int) -> list[tuple[int, int]]:
        predecessor, activation = tree[node - 1]
        blocked = {predecessor, *descendants(tree, node)}
        predecessors = [other for other in range(self.nodes + 1) if other not in blocked]
        activations = [other for other in range(len(self.activations)) if other != activation]
        return [(other, activation) for other in predecessors] + [(predecessor, other) for other in activations]

    def _with_node(self, tree: Tree, node: int, change: tuple[int, int]) -> Architecture:
        changed = (*tree[: node - 1], change, *tree[node:])
        return self._trusted(_encode(changed if change[0] < node else canonical_tree(changed)))

    # Meaning.

    def cell(self, architecture: Architecture) -> RecurrentSpec:
        """The cell in words."""
        return RecurrentSpec(tuple((source, self.activations[token]) for source, token in _decode(architecture.tokens)))

    def from_cell(self, cell: RecurrentSpec) -> Architecture:
        """Inverse of ``cell``. Raises ``InputError`` for a wrong node count, predecessor or activation."""
        if len(cell.nodes) != self.nodes:
            raise InputError("recurrent cell", f"{len(cell.nodes)} nodes", f"the space has {self.nodes}")
        for node, (predecessor, activation) in enumerate(cell.nodes, 1):
            if activation not in self.activations:
                raise InputError("activation", activation, f"not among {'+'.join(self.activations)}")
            if not 0 <= predecessor < node:
                raise InputError("predecessor", predecessor, f"node {node} takes predecessors 0..{node - 1}")
        return self._trusted([token for source, name in cell.nodes for token in (source, self.activations.index(name))])

    def graph(self, architecture: Architecture) -> Graph:
        """Input and last output enter node 0; activations on edges; all searched nodes are averaged in the output."""
        cell = self.cell(architecture)
        vertices = (
            Node("x(t)", "recurrent", "input"),
            Node("h(t-1)", "recurrent", "input"),
            *(Node(str(node), "recurrent") for node in range(self.nodes + 1)),
            Node("h(t)", "recurrent", "output"),
        )
        edges = [Edge(0, 2), Edge(1, 2)]
        edges += [Edge(source + 2, node + 2, name) for node, (source, name) in enumerate(cell.nodes, 1)]
        edges += [Edge(node + 2, len(vertices) - 1) for node in range(1, self.nodes + 1)]
        return Graph(vertices, tuple(edges))

    # Text.

    def format(self, architecture: Architecture) -> str:
        """``recurrent:relu@0,relu@0,...``, a node a comma, its predecessor after ``@``."""
        return PREFIX + ",".join(f"{name}@{source}" for source, name in self.cell(architecture).nodes)

    def parse(self, text: str) -> Architecture:
        """Inverse of ``format``; space around the text is ignored."""
        reader = Reader(text)
        reader.expect(PREFIX)
        nodes = []
        for node in range(1, self.nodes + 1):
            if node > 1:
                reader.expect(",")
            name = re.split("[@,]", reader.text[reader.at :], maxsplit=1)[0]
            if name not in self.activations:
                raise reader.wrong(f"'{name}' is not among {'+'.join(self.activations)}")
            reader.at += len(name)
            reader.expect("@")
            number = re.compile(r"[0-9]+").match(reader.text, reader.at)
            if number is None or not int(number[0]) < node:
                raise reader.wrong(f"expected a predecessor in 0..{node - 1}")
            reader.at = number.end()
            nodes.append((int(number[0]), self.activations.index(name)))
        reader.end(f"expected the end ({self.nodes} nodes)")
        return self._trusted(_encode(nodes))


def _decode(tokens: Sequence[int]) -> Tree:
    return tuple(zip(tokens[::2], tokens[1::2], strict=True))


def _encode(tree: Sequence[tuple[int, int]]) -> Tokens:
    return tuple(token for node in tree for token in node)
