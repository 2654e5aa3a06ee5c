"""How far architectures are apart: edit distance of their graphs, Weisfeiler-Lehman kernel, paths, tokens.

All functions take N architectures of one space in their canonical form, so that symmetric twins are at distance 0, and
give ``(N, N)`` symmetric float64 matrices.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from itertools import combinations, permutations
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from naopt.latent.graph_features import graph_features
from naopt.spaces import Architecture, Graph, SearchSpace

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

_Name = TypeVar("_Name", bound=Hashable)

_DEPTH = 2
"""Rounds of Weisfeiler-Lehman refinement (h)."""
_MOST_EXACT, _MOST_EXCHANGED = 5, 12
"""Inner vertices of a part up to which all their numberings are tried (120), or all exchanges of two."""
_AT_ONCE = 2**22


def canonical(space: SearchSpace, architecture: Architecture) -> Architecture:
    """The architecture that stands for all that are isomorphic to it."""
    return space.architecture(space.canonical(architecture.tokens))


def graph_distances(space: SearchSpace, architectures: Sequence[Architecture]) -> dict[str, Array]:
    """All distances by name: ``edit``, ``wl``, ``paths``, ``tokens``."""
    graphs = [space.graph(architecture) for architecture in architectures]
    return {
        "edit": edit_distances(graphs),
        "wl": wl_distances(graphs),
        "paths": path_distances(space, graphs),
        "tokens": token_distances(np.array([a.tokens for a in architectures], dtype=np.int64)),
    }


def token_distances(tokens: NDArray[np.int64]) -> Array:
    """At how many positions tokens ``(N, T)`` differ (Hamming)."""
    return np.stack([(tokens != row).sum(axis=1) for row in tokens]).astype(np.float64)


def path_distances(space: SearchSpace, graphs: Sequence[Graph]) -> Array:
    """L1 distance of path encodings: how often each sequence of operations leads from an input to the output.

    White et al. 2021 (BANANAS), section 3, with counts instead of 0 and 1; operations that do nothing leave no trace
    (``naopt.latent.graph_features``).
    """
    from scipy.spatial.distance import cdist

    counts = _counts([graph_features(graph, space.skips).paths for graph in graphs])
    found: Array = cdist(counts, counts, "cityblock")
    return found


# Weisfeiler-Lehman.


def wl_distances(graphs: Sequence[Graph], depth: int = _DEPTH) -> Array:
    """Distance in the feature space of the Weisfeiler-Lehman subtree kernel (Shervashidze et al. 2011, section 3.2).

    The features count the labels of all vertices after 0, 1, ... ``depth`` rounds, in each of which a vertex's label
    becomes its own with those of its predecessors and of its successors, both with the operations on the way. Unlike
    the kernel of the paper this one knows directions and labels of edges. Numbers of inner vertices are no labels.
    """
    named = not on_edges(graphs)
    counts = _counts([_wl_labels(graph, depth, named) for graph in graphs])
    products = counts @ counts.T
    norms = np.diag(products)
    return np.sqrt(np.maximum(norms[:, None] - 2 * products + norms[None, :], 0.0))


def _wl_labels(graph: Graph, depth: int, named: bool) -> Counter[Hashable]:
    labels: list[Hashable] = [*_vertex_labels(graph, named)]
    found = Counter[Hashable](labels)
    for _ in range(depth):
        before: list[list[tuple[str, Hashable]]] = [[] for _ in labels]
        after: list[list[tuple[str, Hashable]]] = [[] for _ in labels]
        for edge in graph.edges:
            before[edge.target].append((edge.label, labels[edge.source]))
            after[edge.source].append((edge.label, labels[edge.target]))
        labels = [
            (label, tuple(sorted(b, key=repr)), tuple(sorted(a, key=repr)))
            for label, b, a in zip(labels, before, after, strict=True)
        ]
        found.update(labels)
    return found


def on_edges(graphs: Sequence[Graph]) -> bool:
    """Whether operations stand on edges; else inner vertices are named after them."""
    return any(edge.label for graph in graphs for edge in graph.edges)


def _vertex_labels(graph: Graph, named: bool) -> list[tuple[str, str, str]]:
    """Part, kind and name of each vertex; of inner ones the name only if it is that of an operation."""
    return [(node.part, node.kind, node.label if named or node.kind != "inner" else "") for node in graph.nodes]


def _counts(rows: Sequence[Counter[_Name]]) -> Array:
    at: dict[_Name, int] = {}
    for row in rows:
        for name in row:
            at.setdefault(name, len(at))
    counts = np.zeros((len(rows), len(at)))
    for index, row in enumerate(rows):
        counts[index, [at[name] for name in row]] = list(row.values())
    return counts


# Edit distance.


def edit_is_exact(graphs: Sequence[Graph]) -> bool:
    """Whether ``edit_distances`` are exact: no part has more than five inner vertices."""
    return all(_inner(graphs, part) <= _MOST_EXACT for part in _parts(graphs))


def edit_distances(graphs: Sequence[Graph]) -> Array:
    """Least number of changes that make one graph of the other.

    A change adds or removes a vertex or an edge, or puts another operation on one. Inputs and outputs stand for those
    of the same name, parts for parts of the same name. Where an inner vertex would be removed and another one added,
    making the other of the one is never dearer. So the distance is the least number of differences over all ways to
    number the inner vertices, of which the smaller graph gets some that are missing. Up to five a part all ways are
    tried, which is exact. Beyond, the given (canonical) numbering is and, up to twelve, all exchanges of two vertices
    in it: an upper bound.
    """
    total = np.zeros((len(graphs), len(graphs)))
    named = not on_edges(graphs)
    for part in _parts(graphs):
        total += _part_distances([_sites(graph, part, named) for graph in graphs], _inner(graphs, part))
    return total


_Site = tuple[Hashable, ...]
"""A vertex alone, or the ends of edges; an inner vertex is its number, another one a pair of kind and name."""
_Sites = dict[_Site, tuple[str, ...]]
"""What stands at a site: the sorted operations; no entry for nothing."""


def _parts(graphs: Sequence[Graph]) -> list[str]:
    return list(dict.fromkeys(part for graph in graphs for part in graph.parts))


def _inner(graphs: Sequence[Graph], part: str) -> int:
    """Most inner vertices that a graph has in a part."""
    return max(sum(node.part == part and node.kind == "inner" for node in graph.nodes) for graph in graphs)


def _sites(graph: Graph, part: str, named: bool) -> _Sites:
    names: dict[int, Hashable] = {}
    found: dict[_Site, list[str]] = {}
    inner = 0
    for index, (home, kind, label) in enumerate(_vertex_labels(graph, named)):
        if home == part:
            names[index] = inner if kind == "inner" else (kind, label)
            inner += kind == "inner"
            found[(names[index],)] = [label]
    for edge in graph.edges:
        if edge.source in names:
            found.setdefault((names[edge.source], names[edge.target]), []).append(edge.label)
    return {site: tuple(sorted(labels)) for site, labels in found.items()}


def _part_distances(graphs: Sequence[_Sites], inner: int) -> Array:
    """Edit distances ``(N, N)`` of one part: sites are compared one by one, for every numbering of the first graph."""
    numberings = list(_numberings(inner))
    sites = list(dict.fromkeys(moved for graph in graphs for site in graph for moved in _images(site, inner)))
    at = {site: index for index, site in enumerate(sites)}
    symbol_of: dict[tuple[str, ...], int] = {(): 0}
    symbols = np.array([[symbol_of.setdefault(g.get(site, ()), len(symbol_of)) for site in sites] for g in graphs])
    images = np.array([[at[_renumbered(site, numbers)] for site in sites] for numbers in numberings])
    costs = np.array([[_changes(a, b) for b in symbol_of] for a in symbol_of], dtype=np.uint8)
    # By site and symbol there, the changes to each graph.
    to_each = np.ascontiguousarray(costs[:, symbols].transpose(2, 0, 1))
    place = np.arange(len(sites))
    found = np.zeros((len(graphs), len(graphs)))
    for index, row in enumerate(symbols):
        others = to_each[:, :, index:]
        least = [
            others[place, row[some]].sum(axis=1, dtype=np.int32).min(axis=0)
            for some in np.array_split(images, -(-images.size * (len(graphs) - index) // _AT_ONCE))
        ]
        found[index, index:] = found[index:, index] = np.min(least, axis=0)
    return found


def _numberings(inner: int) -> Iterator[tuple[int, ...]]:
    if inner <= _MOST_EXACT:
        yield from permutations(range(inner))
        return
    yield tuple(range(inner))
    if inner <= _MOST_EXCHANGED:
        for a, b in combinations(range(inner), 2):
            numbers = list(range(inner))
            numbers[a], numbers[b] = b, a
            yield tuple(numbers)


def _images(site: _Site, inner: int) -> list[_Site]:
    """What a site may become by another numbering."""
    places = [index for index, vertex in enumerate(site) if isinstance(vertex, int)]
    found = []
    for numbers in permutations(range(inner), len(places)):
        moved = list(site)
        for index, number in zip(places, numbers, strict=True):
            moved[index] = number
        found.append(tuple(moved))
    return found


def _renumbered(site: _Site, numbers: Sequence[int]) -> _Site:
    return tuple(numbers[vertex] if isinstance(vertex, int) else vertex for vertex in site)


def _changes(first: tuple[str, ...], second: tuple[str, ...]) -> int:
    """Operations to add, remove or replace."""
    return max(len(first), len(second)) - (Counter(first) & Counter(second)).total()
