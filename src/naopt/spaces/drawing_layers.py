"""Where the vertices of a drawn graph stand.

The layered method of Sugiyama et al. (1981): ranks from longest paths, bends where an edge passes a rank, order within
a rank by barycentres. The operation on an edge takes a place in the ranks like a node, so parallel edges fan out by
themselves and no two labels overlap. Positions are least-squares fits to the neighbours' that keep order and distance
(pool-adjacent-violators).
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from naopt.spaces.drawing_labels import operation_family, text_width

if TYPE_CHECKING:
    from naopt.spaces.graph import Edge, Graph

NODE, PILL = 26, 20
"""Heights of a node and of an operation, in pixels."""
_SWEEPS = 4


class Layers:
    """One part of a graph, cut into ranks of vertices: nodes, operations, and the bends of long edges."""

    def __init__(self, graph: Graph, part: str, members: Sequence[int], levels: Sequence[int]) -> None:
        self.part = part
        edges = [edge for edge in graph.edges if graph.nodes[edge.source].part == part]
        step = 2 if any(edge.label for edge in edges) else 1
        lowest = max((levels[i] for i in members if graph.nodes[i].kind != "output"), default=-1) + 1
        ports = Counter(edge.source for edge in edges), Counter(edge.target for edge in edges)
        self.rank: list[int] = []
        self.width: list[float] = []
        self.text: list[str] = []
        self.family: list[str] = []
        self.above: list[list[int]] = []
        self.below: list[list[int]] = []
        vertex = {}
        for index in members:
            node = graph.nodes[index]
            last = node.kind == "output" and not ports[0][index]
            level = max(levels[index], lowest) if last else levels[index]
            width = max(text_width(node.label) + 14, 11 * max(ports[0][index], ports[1][index]) + 8, NODE + 4)
            vertex[index] = self._add(level * step, width, node.label, node.kind)
        self.nodes = len(vertex)
        self.chains = [self._chain(vertex[edge.source], vertex[edge.target], edge) for edge in edges]
        self.layers: list[list[int]] = [[] for _ in range(max(self.rank) + 1)]
        for index, rank in enumerate(self.rank):
            self.layers[rank].append(index)
        self._order()
        self._place()

    def _add(self, rank: int, width: float, text: str = "", family: str = "") -> int:
        self.rank.append(rank)
        self.width.append(width)
        self.text.append(text)
        self.family.append(family)
        self.above.append([])
        self.below.append([])
        return len(self.rank) - 1

    def _chain(self, source: int, target: int, edge: Edge) -> list[int]:
        """The vertices along an edge; its operation stands right above the target."""
        chain = [source, *(self._add(rank, 0.0) for rank in range(self.rank[source] + 1, self.rank[target])), target]
        if edge.label:
            pill = chain[-2]
            self.width[pill] = max(text_width(edge.label) + 12, PILL + 4)
            self.text[pill], self.family[pill] = edge.label, operation_family(edge.label)
        for upper, lower in pairwise(chain):
            self.below[upper].append(lower)
            self.above[lower].append(upper)
        return chain

    def _order(self) -> None:
        """Orders each rank by the mean place of its neighbours, up and down; keeps the order with fewest crossings."""
        best, fewest = self.layers, self._crossings()
        for sweep in range(_SWEEPS):
            if not fewest:
                break
            down = sweep % 2 == 0
            layers = [list(layer) for layer in self.layers]
            for rank in range(1, len(layers)) if down else range(len(layers) - 2, -1, -1):
                fixed = {index: place for place, index in enumerate(layers[rank - 1 if down else rank + 1])}
                key = {}
                for place, index in enumerate(layers[rank]):
                    near = self.above[index] if down else self.below[index]
                    key[index] = sum(fixed[other] for other in near) / len(near) if near else float(place)
                layers[rank].sort(key=key.__getitem__)
            self.layers = layers
            crossings = self._crossings()
            if crossings < fewest:
                best, fewest = layers, crossings
        self.layers = best

    def _crossings(self) -> int:
        """Pairs of edge pieces that cross: inversions between neighbouring ranks."""
        count = 0
        for upper, lower in pairwise(self.layers):
            place = {index: at for at, index in enumerate(lower)}
            seen: list[int] = []
            for index in upper:
                ends = sorted(place[other] for other in self.below[index])
                for end in ends:
                    count += len(seen) - bisect_right(seen, end)
                for end in ends:
                    insort(seen, end)
        return count

    def _place(self) -> None:
        """Horizontal positions: each vertex as near to its neighbours as order and distance allow."""
        x = self.x = [0.0] * len(self.rank)
        offsets = []
        for layer in self.layers:
            at = [0.0] * bool(layer)
            for left, right in pairwise(layer):
                gap = 10 if self.text[left] or self.text[right] else 14
                at.append(at[-1] + (self.width[left] + self.width[right]) / 2 + gap)
            offsets.append(at)
            for index, offset in zip(layer, at, strict=False):
                x[index] = offset - at[-1] / 2
        near = [[self._pulls(i, side[i]) for i in range(len(x))] for side in (self.above, self.below)]
        for sweep in range(2 * _SWEEPS + 1):
            down, last = sweep % 2 == 0, sweep == 2 * _SWEEPS
            for rank in range(len(self.layers)) if down else range(len(self.layers) - 1, -1, -1):
                wanted, weights = [], []
                for index in self.layers[rank]:
                    pulls = near[0][index] + near[1][index] if last else near[0 if down else 1][index]
                    total = sum(weight for _, weight in pulls)
                    wanted.append(sum(x[other] * weight for other, weight in pulls) / total if pulls else x[index])
                    weights.append(total or 0.1)
                for index, value in zip(self.layers[rank], _spread(wanted, weights, offsets[rank]), strict=True):
                    x[index] = value

    def _pulls(self, index: int, others: Sequence[int]) -> list[tuple[int, float]]:
        """Neighbours with weights: pieces between two bends are kept straight before all others."""
        bend = not self.text[index] and index >= self.nodes
        return [(other, (1.0, 2.0, 8.0)[bend + (not self.text[other] and other >= self.nodes)]) for other in others]


def _spread(wanted: Sequence[float], weights: Sequence[float], offsets: Sequence[float]) -> list[float]:
    """Positions nearest to ``wanted`` in weighted squares, at least ``offsets`` apart (pool adjacent violators)."""
    blocks: list[tuple[float, float, int]] = []
    for want, weight, offset in zip(wanted, weights, offsets, strict=False):
        mean, total, size = want - offset, weight, 1
        while blocks and blocks[-1][0] > mean:
            before, heavy, count = blocks.pop()
            mean = (mean * total + before * heavy) / (total + heavy)
            total, size = total + heavy, size + count
        blocks.append((mean, total, size))
    means = [mean for mean, _, size in blocks for _ in range(size)]
    return [mean + offset for mean, offset in zip(means, offsets, strict=True)]
