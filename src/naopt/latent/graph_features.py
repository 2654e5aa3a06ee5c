"""What an architecture computes, as numbers: paths, sizes and neighbourhoods of the operations in its graph.

Everything is read from ``SearchSpace.graph``. Operations are the labels of edges or, in a graph whose edges carry none
(NAS-Bench-101), those of inner nodes. Operations that pass their input on (``SearchSpace.skips``) leave no trace
in a path. What is not on a way from an input to an output counts nothing.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from operator import mul

from naopt.spaces import Graph

Path = tuple[str, ...]

_MOST_PATHS = 512
"""Distinct paths that are told apart at a vertex; beyond, the longest are left out."""
_CACHED = 2**15
_SHARES = (" share of output", " share of input", " share of both", " last")


@dataclass(frozen=True, slots=True)
class GraphFeatures:
    """Named numbers of one graph; a name that is missing stands for 0.

    Attributes:
        paths: how many ways from an input to an output have this sequence of operations (White et al. 2021, BANANAS,
            section 3; counts instead of 0 and 1, and without operations that do nothing).
        sizes: operations by kind, in all and along paths (most, fewest, mean); lengths, degrees, numbers; how much of
            the output comes through them, and of the input goes (``is_share``, ``_Flow.add_shares``).
        local: each operation with what comes before and after it (Weisfeiler-Lehman labels of depth 1, Shervashidze
            et al. 2011), and pairs of operations that follow each other.
    """

    paths: Counter[str] = field(default_factory=Counter)
    sizes: dict[str, float] = field(default_factory=dict)
    local: Counter[str] = field(default_factory=Counter)


def graph_features(graph: Graph, skips: Collection[str] = ()) -> GraphFeatures:
    """Features of a graph; all empty if nothing leads from an input to an output."""
    found = GraphFeatures()
    flow = _Flow(graph, skips)
    parts = graph.parts
    for part in parts:
        live = [node for node in flow.order if graph.nodes[node].part == part]
        if live:
            prefix = f"{part}/" if len(parts) > 1 else ""
            inputs = [node for node in flow.inputs if graph.nodes[node].part == part]
            outputs = [node for node in flow.outputs if graph.nodes[node].part == part]
            paths = flow.paths(live, inputs, outputs)
            for path, count in paths.items():
                found.paths[prefix + ">".join(path)] = count
            flow.add_sizes(found.sizes, prefix, live, inputs, outputs, paths)
            flow.add_shares(found.sizes, prefix, live, inputs, outputs)
            flow.add_local(found.local, prefix, live)
    return found


def is_share(name: str) -> bool:
    """Whether a name of ``GraphFeatures.sizes`` says how much flows through operations of a kind, or from an input."""
    return name.endswith(_SHARES) or "share from " in name


class _Flow:
    """What of a graph lies between inputs and outputs.

    Attributes:
        inputs, outputs: nodes; also those that lead nowhere.
        names: by node, of inputs and (if edges carry no label) operations; other nodes only join and spread.
        shown: the same, and the outputs', but not of operations that do nothing.
        operations: of the nodes, without those that do nothing.
        before: by node, for each edge that comes in its source, its label, and the label unless it does nothing.
        after: the same with the targets of the edges that go out.
        order: live nodes, sources first; ``before`` and ``after`` of others mean nothing.
    """

    def __init__(self, graph: Graph, skips: Collection[str]) -> None:
        on_nodes = not any(edge.label for edge in graph.edges)
        self.inputs: list[int] = []
        self.outputs: list[int] = []
        self.names: list[str] = []
        self.shown: list[str] = []
        self.operations: list[str] = []
        for index, vertex in enumerate(graph.nodes):
            name = shown = vertex.label
            if vertex.kind == "input":
                self.inputs.append(index)
            elif vertex.kind == "output":
                self.outputs.append(index)
                name, shown = "", "out"
            elif not on_nodes:
                name = shown = ""
            self.names.append(name)
            self.shown.append("" if shown in skips else shown)
            self.operations.append(self.shown[-1] if vertex.kind == "inner" else "")
        self.before: list[list[tuple[int, str, str]]] = [[] for _ in graph.nodes]
        self.after: list[list[tuple[int, str, str]]] = [[] for _ in graph.nodes]
        for edge in graph.edges:
            shown = "" if edge.label in skips else edge.label
            self.before[edge.target].append((edge.source, edge.label, shown))
            self.after[edge.source].append((edge.target, edge.label, shown))
        self.order = graph.order()
        forward, backward = set(self.inputs), set(self.outputs)
        for node in self.order:
            if node in forward:
                forward.update([other for other, _, _ in self.after[node]])
        for node in reversed(self.order):
            if node in backward:
                backward.update([other for other, _, _ in self.before[node]])
        live = forward & backward
        if len(live) < len(self.order):
            self.order = tuple([node for node in self.order if node in live])
            self.before = [[edge for edge in edges if edge[0] in live] for edges in self.before]
            self.after = [[edge for edge in edges if edge[0] in live] for edges in self.after]

    def paths(self, live: Sequence[int], inputs: Sequence[int], outputs: Sequence[int]) -> dict[Path, int]:
        """Ways to the outputs by where they start (if there are several inputs) and their operations."""
        at: dict[int, dict[Path, int]] = {}
        for node in live:
            ways: dict[Path, int] = {}
            own = (self.operations[node],) if self.operations[node] else ()
            for other, _, shown in self.before[node]:
                step = (shown, *own) if shown else own
                for path, count in at[other].items():
                    longer = path + step
                    ways[longer] = ways.get(longer, 0) + count
            if node in inputs:
                path = (self.names[node],) if len(inputs) > 1 else ()
                ways[path] = ways.get(path, 0) + 1
            if len(ways) > _MOST_PATHS:
                ways = {path: ways[path] for path in sorted(ways, key=lambda p: (len(p), p))[:_MOST_PATHS]}
            at[node] = ways
        total: dict[Path, int] = {}
        for node in outputs:
            for path, count in at.get(node, {}).items():
                total[path] = total.get(path, 0) + count
        return total

    def add_sizes(
        self,
        found: dict[str, float],
        prefix: str,
        live: Sequence[int],
        inputs: Sequence[int],
        outputs: Sequence[int],
        paths: dict[Path, int],
    ) -> None:
        """See ``GraphFeatures``; ``paths`` as ``paths`` gives them."""
        operations: dict[str, int] = {}
        vertices = len(live)
        for node in live:
            if (name := self.names[node]) and node not in inputs:
                operations[name] = operations.get(name, 0) + 1
            for _, name, _ in self.before[node]:
                if name:
                    operations[name] = operations.get(name, 0) + 1
                    vertices += 1
        counts = list(paths.values())
        ways = sum(counts)
        bodies = [path[1:] for path in paths] if len(inputs) > 1 else list(paths)
        lengths = [len(body) for body in bodies]
        found[f"{prefix}operations"] = sum(operations.values())
        found[f"{prefix}vertices"] = vertices
        found[f"{prefix}longest"] = max(lengths)
        found[f"{prefix}shortest"] = min(lengths)
        found[f"{prefix}mean length"] = sum(map(mul, lengths, counts)) / ways
        found[f"{prefix}paths"] = ways
        found[f"{prefix}kinds of path"] = len(paths)
        found[f"{prefix}direct"] = sum([count for length, count in zip(lengths, counts, strict=True) if not length])
        for name, count in operations.items():
            along = [body.count(name) for body in bodies]
            in_all, at_most, at_least, on_average = _along(prefix, name)
            found[in_all] = count
            found[at_most] = max(along)
            found[at_least] = min(along)
            found[on_average] = sum(map(mul, along, counts)) / ways
        for node in inputs:
            found[f"{prefix}out of {self.names[node]}"] = len(self.after[node]) if node in live else 0
        found[f"{prefix}into the output"] = sum([len(self.before[node]) for node in outputs if node in live])

    def add_shares(
        self, found: dict[str, float], prefix: str, live: Sequence[int], inputs: Sequence[int], outputs: Sequence[int]
    ) -> None:
        """How much flows through the operations of a kind.

        A unit at the output, shared equally among what feeds each vertex, is how much of the output an operation makes
        if what is joined counts alike, as channels that are concatenated or summed; a unit at the input likewise. An
        operation with nothing but the output after it is among the last.
        """
        back, forth = [0.0] * len(self.names), [0.0] * len(self.names)
        for nodes, weights in ((outputs, back), (inputs, forth)):
            ends = [node for node in nodes if node in live]
            for node in ends:
                weights[node] = 1 / len(ends)
        passed = [0.0] * len(self.names)
        clear: set[int] = set()
        ending: set[int] = set()
        for node in reversed(live):
            if not any(shown or other not in clear for other, _, shown in self.after[node]):
                ending.add(node)
                if not self.operations[node]:
                    clear.add(node)
            if self.before[node]:
                passed[node] = back[node] / len(self.before[node])
                for other, _, _ in self.before[node]:
                    back[other] += passed[node]
        totals: dict[str, list[float]] = {}
        for node in live:
            flows = [(self.operations[node], back[node], forth[node], node in ending)]
            if self.after[node]:
                share = forth[node] / len(self.after[node])
                for other, _, shown in self.after[node]:
                    forth[other] += share
                    flows.append((shown, passed[other], share, other in clear))
            for name, backward, forward, is_last in flows:
                if name:
                    sums = totals.setdefault(name, [0.0] * 4)
                    sums[0] += backward
                    sums[1] += forward
                    sums[2] += math.sqrt(backward * forward)
                    sums[3] += is_last
        for name, sums in totals.items():
            found.update(zip(_shares(prefix, name), sums, strict=True))
        if len(inputs) > 1:
            for node in inputs:
                found[f"{prefix}share from {self.names[node]}"] = back[node]

    def add_local(self, found: Counter[str], prefix: str, live: Sequence[int]) -> None:
        """Neighbourhoods by name; operations that do nothing are seen through, as are vertices that only join."""
        above = self._visible(live, self.before)
        below = self._visible(live[::-1], self.after)

        for node in live:
            names: list[str] = []
            first = above[node]
            if shown := self.shown[node]:
                names += _neighbourhood(prefix, first, shown, below[node])
                first = (shown,)
            for other, _, label in self.after[node]:
                if label:
                    last = (self.shown[other],) if self.shown[other] else below[other]
                    names += _neighbourhood(prefix, first, label, last)
            for name in names:
                found[name] = found.get(name, 0) + 1

    def _visible(self, order: Sequence[int], towards: list[list[tuple[int, str, str]]]) -> dict[int, Path]:
        """Names next to each node in one direction, through all that has none."""
        found: dict[int, Path] = {}
        for node in order:
            names: list[str] = []
            for other, _, label in towards[node]:
                if visible := label or self.shown[other]:
                    names.append(visible)
                else:
                    names += found[other]
            names.sort()
            found[node] = tuple(names[:_MOST_PATHS])
        return found


@lru_cache(maxsize=_CACHED)
def _along(prefix: str, name: str) -> tuple[str, str, str, str]:
    return f"{prefix}{name} in all", f"{prefix}{name} at most", f"{prefix}{name} at least", f"{prefix}{name} on average"


@lru_cache(maxsize=_CACHED)
def _shares(prefix: str, name: str) -> tuple[str, str, str, str]:
    output, input_, both, last = (f"{prefix}{name}{suffix}" for suffix in _SHARES)
    return output, input_, both, last


@lru_cache(maxsize=_CACHED)
def _neighbourhood(prefix: str, first: Path, label: str, last: Path) -> tuple[str, ...]:
    up, down = f"{prefix}({','.join(first)}) {label}", f"({','.join(last)})"
    return up, f"{prefix}{label} {down}", f"{up} {down}", *(f"{prefix}{other} > {label}" for other in first)
