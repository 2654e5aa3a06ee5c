"""The two cells of an architecture as text: ``normal:conv3x3@0+avg_pool5x5@1,.../reduction:...``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from naopt.spaces.canonical import Branch, CellNodes
from naopt.spaces.cell_spec import CELLS, CellSpec
from naopt.spaces.reading import Reader


def write_cells(cells: Mapping[str, CellSpec]) -> str:
    """A node a comma, an input after each ``@``."""
    return "/".join(
        f"{name}:" + ",".join("+".join(f"{operation}@{source}" for source, operation in node) for node in cell.nodes)
        for name, cell in cells.items()
    )


def read_cells(
    text: str, count: int, operations: Sequence[str], called: str, suffix: str = ""
) -> tuple[CellNodes, ...]:
    """Inverse of ``write_cells``; space around the text is ignored.

    Args:
        text: of all ``CELLS``.
        count: nodes of each.
        operations: their names.
        called: name of the set of operations, for messages.
        suffix: what ends the text.

    Raises:
        ArchitectureSyntaxError: says where.
    """
    reader = Reader(text)
    cells = []
    for cell_index, cell in enumerate(CELLS):
        reader.expect("/" * (cell_index > 0) + f"{cell}:")
        nodes = []
        for node in range(count):
            if node:
                reader.expect(",")
            branches: list[Branch] = []
            for side in range(2):
                if side:
                    reader.expect("+")
                match = re.compile(r"[^@+,/]*").match(reader.text, reader.at)
                name = match.group() if match else ""
                if name not in operations:
                    raise reader.wrong(f"'{name}' is not an operation of {called}")
                reader.at += len(name)
                reader.expect("@")
                number = re.compile(r"[0-9]+").match(reader.text, reader.at)
                if number is None or not int(number.group()) < node + 2:
                    raise reader.wrong(f"expected an input in 0..{node + 1}")
                reader.at = number.end()
                branches.append((int(number.group()), operations.index(name)))
            nodes.append((branches[0], branches[1]))
        cells.append(tuple(nodes))
    reader.expect(suffix)
    reader.end(f"expected the end ({count} nodes a cell)")
    return tuple(cells)
