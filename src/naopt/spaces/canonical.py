"""Canonical node order of a cell."""

from __future__ import annotations

from collections.abc import Sequence

Branch = tuple[int, int]
"""Input index and operation index."""
CellNodes = tuple[tuple[Branch, Branch], ...]
"""Per node its two branches; inputs 0 and 1 are the cell's, node ``i`` is input ``i + 2``."""

Code = tuple[Branch, Branch]
_UNPLACED = -1


def canonical_cell(nodes: CellNodes) -> CellNodes:
    """One representative of all cells that are isomorphic to ``nodes``, with branches and nodes in order.

    Isomorphic means: the same labelled multigraph up to the order of the two branches of a node and the numbering of
    the nodes, the two cell inputs being fixed. ``nodes`` may be numbered in any way, as long as there is no cycle.

    The order is built step by step: among the nodes whose inputs are placed, the one with the smallest code comes
    next, and among equal codes the one whose role in the graph (colour refinement given what is placed) ranks first.
    What ties then is searched for the smallest codes, and cut where that repeats: twins (nodes with equal codes and
    equal consumers) stand for each other, and a leaf equal to the best one is the image of a subtree already searched
    (McKay & Piperno 2014, "Practical graph isomorphism, II", section 2.4).
    """
    return _CanonicalOrder(nodes).best


class _CanonicalOrder:
    """The search for the canonical order of one cell."""

    def __init__(self, nodes: CellNodes) -> None:
        self.nodes = nodes
        self.consumers: list[list[Branch]] = [[] for _ in nodes]
        for index, node in enumerate(nodes):
            for source, operation in node:
                if source >= 2:
                    self.consumers[source - 2].append((index, operation))
        for consumer in self.consumers:
            consumer.sort()
        self.codes: list[Code] = []
        self.best_order: list[int] = []
        self._extend([0, 1, *[_UNPLACED] * len(nodes)], [], [])

    @property
    def best(self) -> CellNodes:
        return tuple(self.codes)

    def _extend(self, number: list[int], order: list[int], codes: list[Code]) -> int:
        """Places all that is left, in every way that may be best; returns the depth at which to go on."""
        while len(order) < len(self.nodes):
            smallest, candidates = self._next(number)
            codes.append(smallest)
            if self.codes and codes > self.codes[: len(codes)]:
                return len(self.nodes)
            if len(candidates) == 1:
                number[candidates[0] + 2] = len(order) + 2
                order.append(candidates[0])
                continue
            depth = len(order)
            for candidate in candidates:
                placed = number.copy()
                placed[candidate + 2] = depth + 2
                back = self._extend(placed, [*order, candidate], codes.copy())
                if back < depth:
                    return back
            return len(self.nodes)
        if not self.codes or codes < self.codes:
            self.codes, self.best_order = codes, order
            return len(self.nodes)
        return next(depth for depth, (a, b) in enumerate(zip(order, self.best_order, strict=True)) if a != b)

    def _next(self, number: Sequence[int]) -> tuple[Code, list[int]]:
        """The smallest code among the nodes that can be placed, and the nodes to try for it."""
        smallest: Code | None = None
        candidates: list[int] = []
        for index, ((i, x), (j, y)) in enumerate(self.nodes):
            if number[index + 2] == _UNPLACED and (a := number[i]) != _UNPLACED and (b := number[j]) != _UNPLACED:
                code = ((a, x), (b, y)) if (a, x) <= (b, y) else ((b, y), (a, x))
                if smallest is None or code < smallest:
                    smallest, candidates = code, [index]
                elif code == smallest and all(self.consumers[index] != self.consumers[other] for other in candidates):
                    candidates.append(index)
        if smallest is None:
            raise ValueError("the cell has a cycle")
        if len(candidates) > 1:
            colours = self._colours(number)
            first = min(colours[index] for index in candidates)
            candidates = [index for index in candidates if colours[index] == first]
        return smallest, candidates

    def _colours(self, number: Sequence[int]) -> list[int]:
        """Ranks of the nodes' roles: equal for nodes that inputs, consumers and theirs in turn do not tell apart."""
        colours = list(number)
        classes = len(set(colours))
        while True:
            roles = [
                (
                    colours[index + 2],
                    sorted((colours[source], operation) for source, operation in node),
                    sorted((colours[user + 2], operation) for user, operation in self.consumers[index]),
                )
                for index, node in enumerate(self.nodes)
            ]
            ranked: list[tuple[int, list[Branch], list[Branch]]] = []
            for role in sorted(roles):
                if not ranked or ranked[-1] != role:
                    ranked.append(role)
            colours = [-2, -1, *(ranked.index(role) for role in roles)]
            if len(ranked) + 2 == classes:
                return colours[2:]
            classes = len(ranked) + 2
