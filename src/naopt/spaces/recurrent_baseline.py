"""The recurrent layers that every searched cell is compared with."""

from __future__ import annotations

from collections.abc import Sequence

from naopt.errors import ArchitectureSyntaxError
from naopt.spaces.base import Architecture, SearchSpace, Tokens
from naopt.spaces.graph import Edge, Graph, Node
from naopt.spaces.position import Position
from naopt.spaces.registry import spaces

CELLS = ("lstm", "gru")
_PREFIX = "baseline:"


@spaces.register("recurrent-baseline")
class RecurrentBaselineSpace(SearchSpace):
    """LSTM (Hochreiter & Schmidhuber 1997) and GRU (Cho et al. 2014), as architectures of a space of their own.

    So they are trained, measured and exported by the same commands as searched cells. Text form: ``baseline:lstm``.
    """

    name = "recurrent-baseline"
    positions = (Position("cell", CELLS),)

    @classmethod
    def claims(cls, text: str) -> RecurrentBaselineSpace | None:
        """This space, if an architecture's text reads like one of its own."""
        return cls() if text.startswith(_PREFIX) else None

    def choices(self, prefix: Sequence[int]) -> Tokens:  # noqa: ARG002
        """Both."""
        return tuple(range(len(CELLS)))

    @property
    def size(self) -> int:
        """Two."""
        return len(CELLS)

    def cell(self, architecture: Architecture) -> str:
        """Its name, ``lstm`` or ``gru``."""
        return CELLS[architecture.tokens[0]]

    def graph(self, architecture: Architecture) -> Graph:
        """From the input and the last output to the next output, by way of the cell."""
        nodes = (Node("x", kind="input"), Node("h", kind="input"), Node("h'", kind="output"))
        label = self.cell(architecture)
        return Graph(nodes, (Edge(0, 2, label), Edge(1, 2, label)))

    def format(self, architecture: Architecture) -> str:
        """``baseline:lstm``."""
        return _PREFIX + self.cell(architecture)

    def parse(self, text: str) -> Architecture:
        """Inverse of ``format``; space around the text is ignored."""
        stripped = text.strip()
        name = stripped.removeprefix(_PREFIX)
        if name == stripped:
            raise ArchitectureSyntaxError(stripped, 0, f"expected '{_PREFIX}'")
        if name not in CELLS:
            raise ArchitectureSyntaxError(stripped, len(_PREFIX), f"'{name}' is not one of {', '.join(CELLS)}")
        return self.architecture((CELLS.index(name),))
