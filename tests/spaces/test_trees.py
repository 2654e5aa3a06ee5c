"""Labelled rooted trees against networkx, brute force and known counts."""

from __future__ import annotations

from collections import Counter
from itertools import islice, permutations, product
from math import factorial, prod

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from naopt.spaces.trees import Tree, all_orders, canonical_tree, descendants, random_order

SAME_LABELS = nx.algorithms.isomorphism.categorical_node_match("label", None)


def as_graph(tree: Tree) -> nx.DiGraph[int]:
    graph: nx.DiGraph[int] = nx.DiGraph()
    graph.add_node(0, label="root")
    for node, (_, label) in enumerate(tree, 1):
        graph.add_node(node, label=label)
    graph.add_edges_from((parent, node) for node, (parent, _) in enumerate(tree, 1))
    return graph


def isomorphic(one: Tree, other: Tree) -> bool:
    return bool(nx.is_isomorphic(as_graph(one), as_graph(other), node_match=SAME_LABELS))


def all_trees(nodes: int, labels: int) -> list[Tree]:
    return list(product(*(product(range(node), range(labels)) for node in range(1, nodes + 1))))


def renumberings(tree: Tree) -> set[Tree]:
    """By brute force: every permutation in which parents come first."""
    found = set()
    for order in permutations(range(1, len(tree) + 1)):
        number = {0: 0, **{node: place for place, node in enumerate(order, 1)}}
        if all(number[parent] < number[node] for node, (parent, _) in enumerate(tree, 1)):
            found.add(tuple((number[tree[node - 1][0]], tree[node - 1][1]) for node in order))
    return found


def rooted_trees(nodes: int, labels: int) -> int:
    """How many there are with ``nodes`` labelled nodes and one root: Euler transform (Cayley; Harary & Palmer)."""
    forests = [1]
    for size in range(1, nodes + 1):
        total = 0
        for part in range(1, size + 1):
            divisors = (d for d in range(1, part + 1) if part % d == 0)
            total += sum(d * labels * forests[d - 1] for d in divisors) * forests[size - part]
        forests.append(total // size)
    return forests[nodes]


@st.composite
def trees(draw: st.DrawFn, most_nodes: int = 12) -> Tree:
    nodes, labels = draw(st.integers(1, most_nodes)), draw(st.integers(1, 4))
    return tuple((draw(st.integers(0, node)), draw(st.integers(0, labels - 1))) for node in range(nodes))


@given(trees(), st.integers(0, 2**32 - 1))
def test_isomorphic_trees_have_one_canonical_form(tree: Tree, seed: int) -> None:
    other = random_order(tree, np.random.default_rng(seed))
    canonical = canonical_tree(tree)
    assert isomorphic(tree, other)
    assert isomorphic(tree, canonical)
    assert canonical_tree(other) == canonical
    assert canonical_tree(canonical) == canonical
    assert all(parent < node for node, (parent, _) in enumerate(canonical, 1))


@given(trees(), trees(), st.data())
def test_canonical_forms_differ_where_trees_do(tree: Tree, other: Tree, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(tree) - 1))
    near = (*tree[:at], (data.draw(st.integers(0, at)), data.draw(st.integers(0, 3))), *tree[at + 1 :])
    for changed in (near, other):
        assert (canonical_tree(tree) == canonical_tree(changed)) == isomorphic(tree, changed)


@pytest.mark.parametrize(("nodes", "labels"), [(1, 4), (2, 3), (3, 3), (4, 2), (5, 2), (6, 1), (7, 1)])
def test_number_of_canonical_forms(nodes: int, labels: int) -> None:
    assert len(set(map(canonical_tree, all_trees(nodes, labels)))) == rooted_trees(nodes, labels)


def test_the_count_itself() -> None:
    """Rooted trees of 2 to 11 vertices: OEIS A000081."""
    assert [rooted_trees(nodes, 1) for nodes in range(1, 11)] == [1, 2, 4, 9, 20, 48, 115, 286, 719, 1842]


@given(trees(6))
def test_all_orders_are_those_of_brute_force(tree: Tree) -> None:
    orders = list(all_orders(tree))
    assert len(set(orders)) == len(orders)
    assert set(orders) == renumberings(tree)


def test_orders_come_lazily() -> None:
    star = tuple((0, node % 4) for node in range(60))
    assert len(list(islice(all_orders(star), 500))) == 500
    assert canonical_tree(star) == tuple(sorted(star))


@pytest.mark.parametrize(
    "tree",
    [
        ((0, 0), (0, 1), (1, 0), (1, 0), (2, 1)),
        ((0, 0), (0, 0), (1, 0), (2, 0), (0, 1)),
        ((0, 0), (1, 0), (0, 0), (3, 0), (3, 1)),
    ],
)
def test_random_orders_are_uniform(tree: Tree) -> None:
    rng = np.random.default_rng(0)
    seen = Counter(random_order(tree, rng) for _ in range(6000))
    assert seen.keys() == renumberings(tree)
    assert chisquare(list(seen.values())).pvalue > 1e-4


def test_hook_lengths_count_the_orders() -> None:
    tree = ((0, 0), (0, 1), (1, 2), (1, 3), (2, 4), (5, 5), (0, 6))  # labels differ: no automorphism but one
    hooks = prod(len(descendants(tree, node)) for node in range(1, 8))
    assert sum(1 for _ in all_orders(tree)) == factorial(7) // hooks


def test_descendants() -> None:
    tree = ((0, 0), (0, 0), (1, 0), (3, 0), (2, 0))
    assert [descendants(tree, node) for node in (1, 2, 4)] == [{1, 3, 4}, {2, 5}, {4}]


def test_any_numbering_will_do_but_no_cycle() -> None:
    assert canonical_tree(((2, 1), (0, 0))) == ((0, 0), (1, 1))
    for cycle in (((2, 0), (1, 0)), ((1, 0),)):
        with pytest.raises(ValueError, match="do not form a tree"):
            canonical_tree(cycle)
    with pytest.raises(ValueError, match="do not form a tree"):
        random_order(((2, 0), (1, 0)), np.random.default_rng(0))
