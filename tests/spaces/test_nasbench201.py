"""NAS-Bench-201 against networkx and against the benchmark's own text form."""

from __future__ import annotations

from collections import defaultdict
from itertools import product

import networkx as nx
import numpy as np
import pytest

from naopt.errors import ArchitectureSyntaxError
from naopt.spaces import NASBench201Space, SearchSpace, Tokens, parse_architecture
from naopt.spaces.nasbench201 import EDGES

SAME_EDGES = nx.algorithms.isomorphism.categorical_edge_match("operation", None)
SAME_NODES = nx.algorithms.isomorphism.categorical_node_match("role", None)
SPACE = NASBench201Space()
TEXT = "|nor_conv_3x3~0|+|none~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_1x1~1|none~2|"


def pruned(tokens: Tokens) -> nx.DiGraph[int]:
    """The cell's graph without what lies on no path from input to output."""
    graph: nx.DiGraph[int] = nx.DiGraph()
    graph.add_nodes_from([(0, {"role": "in"}), (1, {"role": "node"}), (2, {"role": "node"}), (3, {"role": "out"})])
    graph.add_edges_from((a, b, {"operation": token}) for (a, b), token in zip(EDGES, tokens, strict=True) if token)
    live = (nx.descendants(graph, 0) | {0}) & (nx.ancestors(graph, 3) | {3})
    graph.remove_edges_from([edge for edge in list(graph.edges) if not set(edge) <= live])
    return graph


def isomorphic(one: Tokens, other: Tokens) -> bool:
    return bool(nx.is_isomorphic(pruned(one), pruned(other), node_match=SAME_NODES, edge_match=SAME_EDGES))


def test_all_cells_fall_into_the_classes_that_networkx_finds() -> None:
    by_form: dict[Tokens, list[Tokens]] = defaultdict(list)
    for tokens in product(range(5), repeat=6):
        by_form[SPACE.canonical(tokens)].append(tokens)
    for form, members in by_form.items():
        edges: set[object] = set(pruned(form).edges(data="operation"))
        for member in members:
            assert set(pruned(member).edges(data="operation")) == edges or isomorphic(form, member)
    buckets: dict[object, list[Tokens]] = defaultdict(list)
    for form in by_form:
        a, b, between, across, c, d = form
        buckets[frozenset((a, b)), between, across, frozenset((c, d))].append(form)
    for forms in buckets.values():
        for index, form in enumerate(forms):
            assert not any(isomorphic(form, other) for other in forms[index + 1 :])
    assert len(by_form) == 8765
    assert sum(map(len, by_form.values())) == SPACE.size == 15_625


def test_every_cell_is_a_query_of_its_own() -> None:
    """The protocol of all published figures, whatever the canonical form says."""
    one, other = SPACE.architecture((1, 2, 0, 0, 3, 4)), SPACE.architecture((2, 1, 0, 0, 4, 3))
    assert SPACE.canonical(one.tokens) == SPACE.canonical(other.tokens)
    assert one != other


def test_unused_edges_do_not_matter() -> None:
    dead_ends = SPACE.canonical((3, 0, 0, 1, 0, 0))
    assert dead_ends == SPACE.canonical((0, 0, 0, 1, 0, 0)) == SPACE.canonical((0, 0, 3, 1, 4, 0)) == (0, 0, 0, 1, 0, 0)


def test_symmetric_counterparts() -> None:
    assert list(SPACE.symmetries((1, 2, 0, 3, 4, 0))) == [(1, 2, 0, 3, 4, 0), (2, 1, 0, 3, 0, 4)]
    assert list(SPACE.symmetries((1, 1, 0, 3, 4, 4))) == [(1, 1, 0, 3, 4, 4)]
    assert list(SPACE.symmetries((1, 2, 3, 3, 4, 0))) == [(1, 2, 3, 3, 4, 0)]
    rng = np.random.default_rng(0)
    assert {SPACE.symmetric((1, 2, 0, 3, 4, 0), rng) for _ in range(20)} == {(1, 2, 0, 3, 4, 0), (2, 1, 0, 3, 0, 4)}


def test_text_is_the_benchmarks_own() -> None:
    architecture = SPACE.parse(TEXT)
    assert architecture.tokens == (3, 0, 4, 1, 2, 0)
    assert SPACE.format(architecture) == TEXT
    space, again = parse_architecture(TEXT)
    assert isinstance(space, NASBench201Space)
    assert again == architecture


@pytest.mark.parametrize(
    ("text", "position", "rule"),
    [
        ("", 0, "expected '|'"),
        ("|conv~0|", 1, "expected one of none, skip_connect"),
        (TEXT.replace("none~0", "none~1"), 22, "expected '~0|'"),
        (TEXT.replace("+|none", "|none"), 16, "expected '+|'"),
        (TEXT + "|", len(TEXT), "expected the end"),
    ],
)
def test_syntax_errors(text: str, position: int, rule: str) -> None:
    with pytest.raises(ArchitectureSyntaxError) as caught:
        SPACE.parse(text)
    assert caught.value.position == position
    assert rule in str(caught.value)


def test_graph_leaves_none_out() -> None:
    graph = SPACE.graph(SPACE.parse(TEXT))
    assert [(e.source, e.target, e.label) for e in graph.edges] == [
        (0, 1, "nor_conv_3x3"),
        (1, 2, "avg_pool_3x3"),
        (0, 3, "skip_connect"),
        (1, 3, "nor_conv_1x1"),
    ]


def test_samples_are_drawn_as_position_by_position() -> None:
    at_once, one_by_one = np.random.default_rng(3), np.random.default_rng(3)
    for count in range(50):
        assert SPACE.sample(at_once) == SearchSpace.sample(SPACE, one_by_one)
        assert at_once.integers(count + 2) == one_by_one.integers(count + 2)
