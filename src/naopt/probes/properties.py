"""What can be asked of a state: properties of the architecture that it stands for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from naopt.probes.distances import on_edges
from naopt.spaces import Architecture, Graph, SearchSpace

if TYPE_CHECKING:
    from numpy.typing import NDArray


def properties(space: SearchSpace, architectures: Sequence[Architecture]) -> dict[str, NDArray[np.float64]]:
    """Numbers ``(n,)`` by name, those left out that are the same for all.

    ``edges``; ``depth``, the edges of the longest way; ``loose ends``, the vertices that the outputs join; how many
    operations there are of each kind; ``parameters``, where the space knows them. Over all parts together, but for
    depth, which is that of the deepest.
    """
    graphs = [space.graph(architecture) for architecture in architectures]
    named = not on_edges(graphs)
    rows = [_of_graph(graph, named) for graph in graphs]
    for row, architecture in zip(rows, architectures, strict=True):
        row |= {name: value for name, value in space.quantities(architecture).items() if name == "parameters"}
    names = dict.fromkeys(name for row in rows for name in row)
    columns = {name: np.array([row.get(name, 0.0) for row in rows]) for name in names}
    return {name: column for name, column in columns.items() if np.ptp(column) > 0}


def _of_graph(graph: Graph, named: bool) -> dict[str, float]:
    inner = [node.label for node in graph.nodes if node.kind == "inner"]
    operations = Counter(inner if named else [edge.label for edge in graph.edges if edge.label])
    return {
        "edges": float(len(graph.edges)),
        "depth": float(max(graph.levels())),
        "loose ends": float(sum(graph.nodes[edge.target].kind == "output" for edge in graph.edges)),
        **{f"number of {name}": float(operations[name]) for name in sorted(operations)},
    }
