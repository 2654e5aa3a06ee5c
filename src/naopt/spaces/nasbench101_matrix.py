"""Cells of NAS-Bench-101 as the benchmark's files write them: adjacency, names of operations, and its hash."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from naopt.errors import InputError
from naopt.spaces.nasbench101_cells import EDGES, INNER, OPERATIONS, Cell

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

MODULES = ("conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3")
"""The benchmark's own names of the operations."""


def matrix_of(cell: Cell) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Adjacency ``(v, v)``, upper triangular, and the benchmark's names of the ``v`` operations, 2 <= v <= 7."""
    adjacency = np.zeros((len(cell.kinds) + 2,) * 2, dtype=np.int64)
    for target, mask in enumerate((*cell.inputs, cell.output), 1):
        adjacency[:target, target] = [mask >> source & 1 for source in range(target)]
    return adjacency, ("input", *(MODULES[kind - 1] for kind in cell.kinds), "output")


def cell_of_matrix(adjacency: ArrayLike, operations: Sequence[str]) -> Cell:
    """The cell with this adjacency, without what lies on no path from input to output.

    Args:
        adjacency: ``(v, v)`` of 0 and 1, upper triangular; vertex 0 is the input, the last one the output.
        operations: ``v`` names, the benchmark's (``conv3x3-bn-relu``) or ours (``conv3x3``), between ``input`` and
            ``output``.

    Raises:
        InputError: another shape, an edge backwards, an unknown operation, no path, or, after pruning, more than
            seven vertices or nine edges.
    """
    matrix = np.asarray(adjacency)
    shape = (len(operations),) * 2
    if len(operations) < 2 or matrix.shape != shape or not np.isin(matrix, (0, 1)).all() or np.tril(matrix).any():
        raise InputError("adjacency", str(matrix.shape), f"must be 0 or 1, upper triangular, and of shape {shape}")
    if (operations[0], operations[-1]) != ("input", "output"):
        raise InputError("operations", ", ".join(operations), "must begin with input and end with output")
    names = dict(zip((*MODULES, *OPERATIONS), (1, 2, 3) * 2, strict=False))
    for name in operations[1:-1]:
        if name not in names:
            raise InputError("operation", name, f"is not one of {', '.join(MODULES)}")
    last = len(operations) - 1
    forward, backward = {0}, {last}
    for target in range(1, last + 1):
        if any(matrix[source, target] for source in forward):
            forward.add(target)
    for source in range(last - 1, -1, -1):
        if any(matrix[source, target] for target in backward):
            backward.add(source)
    live = sorted(forward & backward)
    if last not in live:
        raise InputError("cell", ", ".join(operations), "no path leads from input to output")
    pruned = matrix[np.ix_(live, live)]
    if len(live) > INNER + 2 or pruned.sum() > EDGES:
        found = f"{len(live)} vertices, {int(pruned.sum())} edges"
        raise InputError("cell", found, f"the space has at most {INNER + 2} vertices and {EDGES} edges")
    masks = [sum(1 << source for source in np.flatnonzero(column).tolist()) for column in pruned.T[1:]]
    kinds = tuple(names[operations[vertex]] for vertex in live[1:-1])
    return Cell(tuple(masks[:-1]), kinds, masks[-1])


def module_hash(matrix: Sequence[Sequence[int]], labels: Sequence[int]) -> str:
    """The benchmark's isomorphism hash of a pruned cell (Ying et al. 2019, supplement S1), 32 hexadecimal digits.

    Args:
        matrix: ``(v, v)`` upper triangular adjacency.
        labels: -1 for the input, 0, 1, 2 for conv3x3, conv1x1, maxpool3x3, and -2 for the output.
    """

    def digest(text: str) -> str:
        return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()

    everyone = range(len(labels))
    sources = [[u for u in everyone if matrix[u][v]] for v in everyone]
    targets = [[v for v in everyone if matrix[u][v]] for u in everyone]
    colours = [digest(str((len(targets[v]), len(sources[v]), int(labels[v])))) for v in everyone]
    for _ in everyone:
        colours = [
            digest(
                "|".join(
                    "".join(sorted(colours[u] for u in side)) for side in (sources[v], targets[v])
                ) + "|" + colours[v]
            )
            for v in everyone
        ]  # fmt: skip
    return digest(str(sorted(colours)))
