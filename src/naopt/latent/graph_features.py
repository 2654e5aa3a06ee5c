"""What an architecture computes, as numbers: paths, sizes and neighbourhoods of the operations in its graph.

Everything is read from ``SearchSpace.graph``. Operations are the labels of edges or, in a graph whose edges carry none
(NAS-Bench-101), those of inner nodes. Operations that pass their input on (``SearchSpace.skips``) leave no trace
in a path. What is not on a way from an input to an output counts nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field

from naopt.spaces import Graph

Path = tuple[str, ...]

_MOST_PATHS = 512
"""Distinct paths that are told apart at a vertex; beyond, the longest are left out."""


@dataclass(frozen=True, slots=True)
class GraphFeatures:
    """Named numbers of one graph; a name that is missing stands for 0.

    Attributes:
        paths: how many ways from an input to an output have this sequence of operations (White et al. 2021, BANANAS,
            section 3; counts instead of 0 and 1, and without operations that do nothing).
        sizes: operations by kind, in all and along paths (most, fewest, mean); lengths, degrees, numbers.
        local: each operation with what comes before and after it (Weisfeiler-Lehman labels of depth 1, Shervashidze
            et al. 2011), and pairs of operations that follow each other.
    """

    paths: Counter[str] = field(default_factory=Counter)
    sizes: dict[str, float] = field(default_factory=dict)
    local: Counter[str] = field(default_factory=Counter)


def graph_features(graph: Graph, skips: Collection[str] = ()) -> GraphFeatures:
    """Features of a graph; all empty if nothing leads from an input to an output."""
    found = GraphFeatures()
    for part in graph.parts:
        flow = _Flow(graph, part)
        if flow.order:
            prefix = f"{part}/" if len(graph.parts) > 1 else ""
            paths = flow.paths(skips)
            found.paths.update({prefix + ">".join(path): count for path, count in paths.items()})
            found.sizes.update({prefix + name: value for name, value in flow.sizes(paths).items()})
            found.local.update({prefix + name: count for name, count in flow.local(skips).items()})
    return found


class _Flow:
    """One part of a graph with its operations, wherever they sat, as vertices.

    Vertices without a label only join and spread. Inputs are labelled with their name, outputs are not.

    Attributes:
        order: live vertices, topologically.
        labels: by vertex.
        before: live predecessors by vertex, as often as there are edges.
    """

    def __init__(self, graph: Graph, part: str) -> None:
        nodes = [index for index, node in enumerate(graph.nodes) if node.part == part]
        on_nodes = not any(edge.label for edge in graph.edges)
        self.inputs = [index for index in nodes if graph.nodes[index].kind == "input"]
        self.outputs = [index for index in nodes if graph.nodes[index].kind == "output"]
        self.labels: dict[int, str] = {
            index: node.label if node.kind == "input" or (on_nodes and node.kind == "inner") else ""
            for index, node in enumerate(graph.nodes)
            if node.part == part
        }
        arcs: list[tuple[int, int]] = []
        for at, edge in enumerate(graph.edges, start=len(graph.nodes)):
            if graph.nodes[edge.source].part == part:
                if edge.label:
                    self.labels[at] = edge.label
                    arcs += [(edge.source, at), (at, edge.target)]
                else:
                    arcs.append((edge.source, edge.target))
        after: dict[int, list[int]] = {vertex: [] for vertex in self.labels}
        before: dict[int, list[int]] = {vertex: [] for vertex in self.labels}
        for source, target in arcs:
            after[source].append(target)
            before[target].append(source)
        live = _reachable(self.inputs, after) & _reachable(self.outputs, before)
        self.before = {vertex: [v for v in before[vertex] if v in live] for vertex in live}
        self.after = {vertex: [v for v in after[vertex] if v in live] for vertex in live}
        self.order = _topological(self.before, self.after)

    def _operations(self) -> list[str]:
        return [self.labels[v] for v in self.order if self.labels[v] and v not in self.inputs]

    def paths(self, skips: Collection[str]) -> Counter[Path]:
        """Ways to the outputs by where they start (if there are several inputs) and their operations."""
        several = len(self.inputs) > 1
        at: dict[int, Counter[Path]] = {}
        for vertex in self.order:
            ways: Counter[Path] = Counter()
            for other in self.before[vertex]:
                ways.update(at[other])
            label = self.labels[vertex]
            if vertex in self.inputs:
                ways[(label,) if several else ()] += 1
            elif label and label not in skips:
                ways = Counter({(*path, label): count for path, count in ways.items()})
            if len(ways) > _MOST_PATHS:
                ways = Counter({path: ways[path] for path in sorted(ways, key=lambda p: (len(p), p))[:_MOST_PATHS]})
            at[vertex] = ways
        total: Counter[Path] = Counter()
        for vertex in self.outputs:
            total.update(at.get(vertex, ()))
        return total

    def sizes(self, paths: Counter[Path]) -> dict[str, float]:
        """See ``GraphFeatures``; ``paths`` as ``paths`` gives them."""
        ways = sum(paths.values())
        operations = Counter(self._operations())
        skip = len(self.inputs) > 1
        found: dict[str, float] = {f"{name} in all": count for name, count in operations.items()}
        lengths = [len(path) - skip for path in paths]
        found |= {
            "operations": sum(operations.values()),
            "vertices": len(self.order),
            "longest": max(lengths),
            "shortest": min(lengths),
            "mean length": sum(n * c for n, c in zip(lengths, paths.values(), strict=True)) / ways,
            "paths": ways,
            "kinds of path": len(paths),
            "direct": sum(c for n, c in zip(lengths, paths.values(), strict=True) if n == 0),
        }
        for name in operations:
            along = [path[skip:].count(name) for path in paths]
            found[f"{name} at most"] = max(along)
            found[f"{name} at least"] = min(along)
            found[f"{name} on average"] = sum(n * c for n, c in zip(along, paths.values(), strict=True)) / ways
        for vertex in self.inputs:
            found[f"out of {self.labels[vertex]}"] = len(self.after.get(vertex, ()))
        found["into the output"] = sum(len(self.before.get(vertex, ())) for vertex in self.outputs)
        return found

    def local(self, skips: Collection[str]) -> Counter[str]:
        """Neighbourhoods by name; operations that do nothing are seen through, as are vertices that only join."""
        first = self._visible(self.order, self.before, skips)
        last = self._visible(self.order[::-1], self.after, skips)
        found: Counter[str] = Counter()
        for vertex in self.order:
            label = self.labels[vertex] or ("out" if vertex in self.outputs else "")
            if not label or label in skips:
                continue
            above, below = ",".join(sorted(first[vertex])), ",".join(sorted(last[vertex]))
            found.update((f"({above}) {label}", f"{label} ({below})", f"({above}) {label} ({below})"))
            found.update(f"{other} > {label}" for other in first[vertex])
        return found

    def _visible(
        self, order: list[int], towards: dict[int, list[int]], skips: Collection[str]
    ) -> dict[int, list[str]]:
        """Labels next to each vertex in one direction, through all that has none."""
        found: dict[int, list[str]] = {}
        for vertex in order:
            names: list[str] = []
            for other in towards[vertex]:
                label = self.labels[other] or ("out" if other in self.outputs else "")
                names += [label] if label and label not in skips else found[other]
            found[vertex] = sorted(names)[:_MOST_PATHS]
        return found


def _reachable(start: list[int], towards: dict[int, list[int]]) -> set[int]:
    found, stack = set(start), list(start)
    while stack:
        for other in towards[stack.pop()]:
            if other not in found:
                found.add(other)
                stack.append(other)
    return found


def _topological(before: dict[int, list[int]], after: dict[int, list[int]]) -> list[int]:
    waiting = {vertex: len(others) for vertex, others in before.items()}
    order = [vertex for vertex, count in waiting.items() if not count]
    for vertex in order:
        for other in after[vertex]:
            waiting[other] -= 1
            if not waiting[other]:
                order.append(other)
    return order
