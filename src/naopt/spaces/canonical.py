"""Canonical node order of a cell."""

from __future__ import annotations

Branch = tuple[int, int]
"""Input index and operation index."""
CellNodes = tuple[tuple[Branch, Branch], ...]
"""Per node its two branches; inputs 0 and 1 are the cell's, node ``i`` is input ``i + 2``."""


def canonical_cell(nodes: CellNodes) -> CellNodes:
    """The smallest cell, lexicographically, among all that are isomorphic to ``nodes``.

    Isomorphic means: the same labelled multigraph up to the order of the two branches of a node and the numbering of
    the nodes, the two cell inputs being fixed. The node order is built greedily: among the nodes whose inputs are
    placed, the one with the smallest code comes next. Ties are searched, except between twins: nodes with equal
    codes and equal consumers, whose exchange changes nothing.
    """
    count = len(nodes)
    users: list[list[Branch]] = [[] for _ in range(count)]
    for index, node in enumerate(nodes):
        for source, operation in node:
            if source >= 2:
                users[source - 2].append((index, operation))
    consumers = [tuple(sorted(of_node)) for of_node in users]
    best: list[tuple[Branch, Branch]] = []

    def extend(placed: dict[int, int], codes: list[tuple[Branch, Branch]]) -> None:
        nonlocal best
        if best and codes > best[: len(codes)]:
            return
        if len(codes) == count:
            best = codes
            return
        ready: dict[int, tuple[Branch, Branch]] = {}
        for index, node in enumerate(nodes):
            if index not in placed and all(source < 2 or source - 2 in placed for source, _ in node):
                first, second = sorted((s if s < 2 else placed[s - 2] + 2, operation) for s, operation in node)
                ready[index] = (first, second)
        smallest = min(ready.values())
        tried = set()
        for index, code in ready.items():
            if code == smallest and consumers[index] not in tried:
                tried.add(consumers[index])
                extend({**placed, index: len(codes)}, [*codes, code])

    extend({}, [])
    return tuple(best)
