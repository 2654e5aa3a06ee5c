"""Canonical cells against networkx: equal if and only if the labelled multigraphs are isomorphic."""

from __future__ import annotations

from collections import defaultdict
from itertools import product

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from naopt.spaces.canonical import Branch, CellNodes, canonical_cell

SAME_EDGES = nx.algorithms.isomorphism.categorical_multiedge_match("operation", None)
SAME_NODES = nx.algorithms.isomorphism.categorical_node_match("role", None)


def as_graph(cell: CellNodes) -> nx.MultiDiGraph[int]:
    graph: nx.MultiDiGraph[int] = nx.MultiDiGraph()
    for index in range(len(cell) + 2):
        graph.add_node(index, role=index if index < 2 else "node")
    for index, node in enumerate(cell):
        for source, operation in node:
            graph.add_edge(source, index + 2, operation=operation)
    return graph


def isomorphic(one: CellNodes, other: CellNodes) -> bool:
    return bool(nx.is_isomorphic(as_graph(one), as_graph(other), node_match=SAME_NODES, edge_match=SAME_EDGES))


def all_cells(nodes: int, operations: int) -> list[CellNodes]:
    branches = [list(product(range(node + 2), range(operations))) for node in range(nodes)]
    return list(product(*([(a, b) for a in of_node for b in of_node] for of_node in branches)))


def relabelled(cell: CellNodes, rng: np.random.Generator) -> CellNodes:
    """The same cell in a random topological order, with random branch order."""
    number, out = {0: 0, 1: 1}, []
    left = set(range(len(cell)))
    while left:
        ready = sorted(index for index in left if all(source in number for source, _ in cell[index]))
        index = ready[int(rng.integers(len(ready)))]
        left.remove(index)
        (a, x), (b, y) = cell[index]
        first, second = (number[a], x), (number[b], y)
        out.append((first, second) if rng.integers(2) else (second, first))
        number[index + 2] = len(out) + 1
    return tuple(out)


@st.composite
def cells(draw: st.DrawFn, most_nodes: int = 7) -> CellNodes:
    nodes, operations = draw(st.integers(1, most_nodes)), draw(st.integers(1, 3))

    def branch(node: int) -> Branch:
        return draw(st.integers(0, node + 1)), draw(st.integers(0, operations - 1))

    return tuple((branch(node), branch(node)) for node in range(nodes))


@given(cells(), st.integers(0, 2**32 - 1))
def test_isomorphic_cells_have_one_canonical_form(cell: CellNodes, seed: int) -> None:
    other = relabelled(cell, np.random.default_rng(seed))
    canonical = canonical_cell(cell)
    assert isomorphic(cell, other)
    assert canonical_cell(other) == canonical
    assert canonical_cell(canonical) == canonical
    assert isomorphic(cell, canonical)


@given(cells(), st.data())
def test_one_change_is_noticed_unless_it_is_isomorphic(cell: CellNodes, data: st.DataObject) -> None:
    at, side = data.draw(st.integers(0, len(cell) - 1)), data.draw(st.integers(0, 1))
    changed = (data.draw(st.integers(0, at + 1)), data.draw(st.integers(0, 2)))
    node = (changed, cell[at][1]) if side == 0 else (cell[at][0], changed)
    near = (*cell[:at], node, *cell[at + 1 :])
    near = relabelled(near, np.random.default_rng(data.draw(st.integers(0, 2**32 - 1))))
    assert (canonical_cell(near) == canonical_cell(cell)) == isomorphic(near, cell)


@given(cells(4), cells(4))
def test_pairs_of_small_cells(one: CellNodes, other: CellNodes) -> None:
    if len(one) == len(other):
        assert (canonical_cell(one) == canonical_cell(other)) == isomorphic(one, other)


@pytest.mark.parametrize(("nodes", "operations", "classes"), [(1, 2, 10), (2, 2, 165), (3, 1, 97)])
def test_classes_of_all_small_cells(nodes: int, operations: int, classes: int) -> None:
    """Brute force: within a class all are isomorphic to its representative, and no two representatives are."""
    every = all_cells(nodes, operations)
    by_form: dict[CellNodes, list[CellNodes]] = defaultdict(list)
    for cell in every:
        by_form[canonical_cell(cell)].append(cell)
    for form, members in by_form.items():
        assert all(isomorphic(form, member) for member in members)
    buckets: dict[str, list[CellNodes]] = defaultdict(list)
    for form in by_form:
        buckets[str(sorted(sorted((min(source, 2), operation) for source, operation in node) for node in form))].append(
            form
        )
    for forms in buckets.values():
        for index, form in enumerate(forms):
            assert not any(isomorphic(form, other) for other in forms[index + 1 :])
    assert len(by_form) == classes


def chains(count: int, length: int) -> CellNodes:
    """Parallel equal chains, layer by layer."""
    first = [((0, 0), (0, 0))] * count
    later = [((2 + at, 0), (2 + at, 0)) for at in range(count * (length - 1))]
    return (*first, *later)


def rings(*lengths: int) -> CellNodes:
    """Source nodes, joined pairwise in rings by nodes of a second layer."""
    nodes: list[tuple[Branch, Branch]] = [((0, 0), (0, 0))] * sum(lengths)
    start = 2
    for length in lengths:
        nodes += [((start + at, 0), (start + (at + 1) % length, 0)) for at in range(length)]
        start += length
    return tuple(nodes)


@pytest.mark.parametrize(
    "cell", [chains(8, 2), chains(5, 3), chains(4, 4), chains(16, 1), chains(1, 16), rings(8), rings(4, 4), rings(3, 5)]
)
def test_cells_of_many_symmetries(cell: CellNodes) -> None:
    """Cells whose orders are 8! and more if symmetry is not cut; the suite's time limit is the assertion."""
    rng = np.random.default_rng(0)
    canonical = canonical_cell(cell)
    for _ in range(5):
        assert canonical_cell(relabelled(cell, rng)) == canonical
    assert sorted(len(set(node)) for node in canonical) == sorted(len(set(node)) for node in cell)


def test_what_local_structure_does_not_tell_apart() -> None:
    """One ring of eight and two of four: every node sees the same around it."""
    assert len({canonical_cell(rings(8)), canonical_cell(rings(4, 4)), canonical_cell(rings(3, 5))}) == 3


def test_random_orders_of_large_cells() -> None:
    rng = np.random.default_rng(3)
    for _ in range(30):
        cell = tuple(
            (
                (int(rng.integers(min(index + 2, 6))), int(rng.integers(2))),
                (int(rng.integers(min(index + 2, 6))), int(rng.integers(2))),
            )
            for index in range(16)
        )
        assert len({canonical_cell(relabelled(cell, rng)) for _ in range(4)} | {canonical_cell(cell)}) == 1


def test_any_numbering_without_a_cycle_will_do() -> None:
    assert canonical_cell((((3, 0), (0, 0)), ((0, 1), (1, 1)))) == (((0, 1), (1, 1)), ((0, 0), (2, 0)))


def test_a_cycle_is_refused() -> None:
    with pytest.raises(ValueError, match="cycle"):
        canonical_cell((((3, 0), (0, 0)), ((2, 0), (1, 0))))
