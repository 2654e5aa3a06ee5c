"""NAS-Bench-101 against networkx, brute force, and the benchmark's own list of cells and hash."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from itertools import combinations, permutations, product
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from naopt.errors import ArchitectureSyntaxError, InputError
from naopt.spaces import NASBench101Space, Tokens, create_space, parse_architecture
from naopt.spaces.nasbench101_matrix import MODULES, module_hash

SPACE = NASBench101Space()
TEXT = "nasbench101:conv3x3@0,maxpool3x3@0+1,conv1x1@1,output@0+2+3"
SAME_NODES = nx.algorithms.isomorphism.categorical_node_match("kind", None)


def sampled(count: int, seed: int = 0) -> list[Tokens]:
    rng = np.random.default_rng(seed)
    return [SPACE.sample(rng).tokens for _ in range(count)]


def digraph(tokens: Tokens) -> nx.DiGraph[int]:
    matrix, operations = SPACE.matrix(SPACE.architecture(tokens))
    graph: nx.DiGraph[int] = nx.DiGraph(matrix)
    nx.set_node_attributes(graph, dict(enumerate(operations)), "kind")
    return graph


def published() -> Any:
    folder = os.environ.get("NAOPT_DATA")
    if folder is None:
        pytest.skip("NAOPT_DATA is not set: no folder with benchmark tables")
    with np.load(Path(folder) / "nasbench101_space.npz") as archive:
        return dict(archive)


def all_cells(archive: Any) -> NDArray[np.int64]:
    """The tokens of the listed cells, from their packed edges (column by column) and base-3 operations."""
    vertices, edges, code = (archive[name].astype(np.int64) for name in ("n_vertices", "edge_bits", "op_code"))
    tokens = np.zeros((len(vertices), 27), dtype=np.int64)
    at = {position.name: index for index, position in enumerate(SPACE.positions)}
    for target in range(1, 7):
        inner, end = vertices - 1 > target, vertices - 1 == target
        for source in range(target):
            value = edges >> target * (target - 1) // 2 + source & 1
            if target < 6:
                tokens[inner, at[f"{source}->{target}"]] = value[inner]
            tokens[end, at[f"{source}->output"]] = value[end]
        if target < 6:
            digit = code // 3 ** np.maximum(vertices - 2 - target, 0) % 3
            tokens[inner, at[f"operation {target}"]] = 1 + digit[inner]
    return tokens


def test_canonical_forms_tell_all_cells_apart_as_the_benchmark_does() -> None:
    archive = published()
    tokens = all_cells(archive)
    assert len(tokens) == SPACE.distinct == 423_624
    assert SPACE.valid_rows(tokens).all()
    forms = SPACE.identities(tokens)
    assert len({row.tobytes() for row in forms.astype(np.uint8)}) == 423_624
    hashes = archive["md5"]
    assert len({row.tobytes() for row in hashes}) == 423_624
    known = {row.tobytes(): index for index, row in enumerate(forms.astype(np.uint8))}
    rng = np.random.default_rng(0)
    for row in rng.choice(len(tokens), 1500, replace=False).tolist():
        other = SPACE.symmetric(tokens[row].tolist(), rng)
        assert SPACE.canonical(other) == tuple(forms[row].tolist())
        assert SPACE.module_hash(SPACE.architecture(other)) == hashes[row].tobytes().hex()
    for sample in sampled(500):
        row = known[bytes(SPACE.canonical(sample))]
        assert SPACE.module_hash(SPACE.architecture(sample)) == hashes[row].tobytes().hex()


def test_size_is_the_number_of_graphs_that_brute_force_finds() -> None:
    """All 2^21 upper triangular graphs of seven vertices; absent vertices come last."""
    pairs = [(u, v) for v in range(1, 7) for u in range(v)]
    bits = np.arange(2**21, dtype=np.int64)
    edge = {pair: (bits >> index & 1).astype(bool) for index, pair in enumerate(pairs)}
    count = sum(value.astype(np.int64) for value in edge.values())
    fits = np.asarray(count <= 9) & np.asarray(count > 0)
    fed = [np.ones_like(fits), *(np.any([edge[u, v] for u in range(v)], axis=0) for v in range(1, 7))]
    feeds = [np.any([edge[u, v] for v in range(u + 1, 7)], axis=0) for u in range(6)]
    fits &= fed[6] & feeds[0]
    for v in range(1, 6):
        fits &= fed[v] == feeds[v]
        if v < 5:
            fits &= fed[v] >= fed[v + 1]
    present = np.sum(fed[1:6], axis=0)[fits]
    assert SPACE.size == int((3**present).sum()) == 1_293_208


def test_choices_are_what_can_be_completed() -> None:
    """Against all completions of random prefixes."""
    rng = np.random.default_rng(1)
    for tokens in sampled(40, 2):
        cut = int(rng.integers(16, 27))
        prefix = tokens[:cut]
        possible = set()
        for rest in product(*(range(len(p.choices)) for p in SPACE.positions[cut:])):
            if rest[0] not in possible and SPACE.contains((*prefix, *rest)):
                possible.add(rest[0])
        assert SPACE.choices(prefix) == tuple(sorted(possible))


def test_every_cell_is_decoded_position_by_position() -> None:
    archive = published()
    tokens = all_cells(archive)[::41]
    for at in range(27):
        assert SPACE.choice_mask(tokens[:, :at])[np.arange(len(tokens)), tokens[:, at]].all()


def test_valid_rows_agree_with_single_sequences() -> None:
    rng = np.random.default_rng(3)
    tokens = np.array(sampled(3000, 4))
    flips = rng.integers(27, size=len(tokens))
    tokens[np.arange(len(tokens)), flips] = rng.integers(-1, 4, size=len(tokens))
    valid = SPACE.valid_rows(tokens)
    assert 300 < valid.sum() < 2700
    assert valid.tolist() == [SPACE.contains(row) for row in tokens.tolist()]


def test_samples_are_uniform_over_sequences() -> None:
    """Shares of inner vertices and of edges against exact counts."""
    exact: Counter[int] = Counter()
    total = 0
    for vertices in range(6):
        for edges in range(1, 10):
            number = _sequences(vertices, edges)
            exact[vertices] += number
            total += number
    assert total == SPACE.size
    drawn = Counter(sum(map(bool, tokens[1:2] + tokens[4:5] + tokens[8:9] + tokens[13:14] + tokens[19:20]))
                    for tokens in sampled(20_000, 5))  # fmt: skip
    for vertices, number in exact.items():
        share = number / total
        assert abs(drawn[vertices] / 20_000 - share) < 5 * (share * (1 - share) / 20_000) ** 0.5 + 1e-4


def _sequences(vertices: int, edges: int) -> int:
    """By inclusion and exclusion over vertices without a consumer, columns being independent."""
    number = 0
    for idle in range(2 ** (vertices + 1)):
        polynomial = np.ones(1)
        for column in range(1, vertices + 2):
            sources = sum(1 for u in range(column) if not idle >> u & 1)
            factor = np.array([1.0])
            for _ in range(sources):
                factor = np.convolve(factor, [1, 1])
            factor[0] = 0  # every vertex has an input
            polynomial = np.convolve(polynomial, factor)
        number += (-1) ** idle.bit_count() * int(polynomial[edges]) if edges < len(polynomial) else 0
    return int(number * 3**vertices)


def test_canonical_form_is_the_smallest_numbering() -> None:
    for tokens in sampled(60, 6):
        matrix, operations = SPACE.matrix(SPACE.architecture(tokens))
        inner, last = range(1, len(operations) - 1), len(operations) - 1
        every = set()
        for order in permutations(inner):
            index = [0, *order, last]
            moved = matrix[np.ix_(index, index)]
            if not np.tril(moved).any():
                every.add(SPACE.from_matrix(moved, [operations[v] for v in index]).tokens)
        assert SPACE.canonical(tokens) == min(every)
        assert set(SPACE.symmetries(tokens)) == every
        assert len(list(SPACE.symmetries(tokens))) == len(every)


def test_identities_agree_with_single_sequences() -> None:
    tokens = np.array(sampled(2000, 7))
    assert SPACE.identities(tokens).tolist() == [list(SPACE.canonical(row)) for row in tokens.tolist()]
    assert SPACE.identities(tokens[:1]).tolist() == [list(SPACE.canonical(tokens[0].tolist()))]


def test_equal_forms_are_isomorphic_graphs() -> None:
    some = sampled(300, 8)
    for one, other in zip(some[::2], some[1::2], strict=True):
        same = nx.is_isomorphic(digraph(one), digraph(other), node_match=SAME_NODES)
        assert same == (SPACE.canonical(one) == SPACE.canonical(other))
    for tokens in some[:50]:
        other = list(SPACE.symmetries(tokens))[-1]
        assert nx.is_isomorphic(digraph(tokens), digraph(other), node_match=SAME_NODES)


def raw_changes(tokens: Tokens) -> Iterator[Tokens]:
    """Neighbours by brute force: every bit and every operation of every numbering with at most one vertex added."""
    matrix, operations = SPACE.matrix(SPACE.architecture(tokens))
    count = len(operations)
    graphs: list[tuple[NDArray[np.int64], tuple[str, ...]]] = []
    for at, kind in product(range(1, count - 1), MODULES):
        graphs.append((matrix, (*operations[:at], kind, *operations[at + 1 :])))
    for u, v in product(range(count), repeat=2):
        toggled = matrix.copy()
        toggled[u, v] ^= 1
        graphs.append((toggled, operations))
        if count < 7:
            for kind, split in product(MODULES, (False, True)):
                grown = np.zeros((count + 1, count + 1), dtype=np.int64)
                grown[:count, :count] = matrix
                grown[u, count] = grown[count, v] = 1
                if split and matrix[u, v]:
                    grown[u, v] = 0
                graphs.append((grown, (*operations, kind)))
    for w in range(1, count - 1):
        if matrix[w].sum() == matrix[:, w].sum() == 1:
            u, v = int(matrix[:, w].argmax()), int(matrix[w].argmax())
            keep = [x for x in range(count) if x != w]
            for bridge in (0, 1):
                shrunk = matrix.copy()
                shrunk[u, v] |= bridge
                graphs.append((shrunk[np.ix_(keep, keep)], tuple(operations[x] for x in keep)))
    for adjacency, names in graphs:
        graph: nx.DiGraph[int] = nx.DiGraph(adjacency)
        if not nx.is_directed_acyclic_graph(graph) or adjacency.sum() > 9:
            continue
        start, end = names.index("input"), names.index("output")
        alive = (nx.descendants(graph, start) | {start}) & (nx.ancestors(graph, end) | {end})
        if len(alive) == len(names):
            order = list(nx.topological_sort(graph))
            yield SPACE.from_matrix(adjacency[np.ix_(order, order)], [names[v] for v in order]).identity


def test_neighbours_are_one_change_away() -> None:
    small = ["output@0", "conv3x3@0,output@1", "conv3x3@0,conv1x1@0,conv1x1@1,output@2+3"]
    texts = [SPACE.parse(f"nasbench101:{text}").tokens for text in small]
    for tokens in sampled(25, 9) + texts:
        architecture = SPACE.architecture(tokens)
        found = [neighbour.tokens for neighbour in SPACE.neighbours(architecture)]
        assert len(found) == len(set(found))
        assert set(found) == set(raw_changes(tokens)) - {architecture.identity}


def test_any_cell_is_reached_by_mutation() -> None:
    """From the smallest cell to cells of seven vertices and back: a walk of single changes."""
    rng = np.random.default_rng(10)
    walk = SPACE.parse("nasbench101:output@0")
    seen: Counter[int] = Counter()
    for _ in range(400):
        walk = SPACE.mutate(walk, rng)
        seen[len(SPACE.matrix(walk)[1])] += 1
    assert set(seen) >= {4, 5, 6, 7}
    for start in (SPACE.architecture(tokens) for tokens in sampled(10, 11)):
        smaller = start
        while len(SPACE.matrix(smaller)[1]) > 2:
            smaller = min(SPACE.neighbours(smaller), key=lambda a: (len(SPACE.matrix(a)[1]), SPACE.matrix(a)[0].sum()))
        assert smaller == SPACE.parse("nasbench101:output@0")


@given(st.integers(0, 2**21 - 1), st.lists(st.sampled_from(MODULES), min_size=5, max_size=5))
def test_matrices_are_pruned_as_the_benchmark_does(bits: int, kinds: list[str]) -> None:
    matrix = np.zeros((7, 7), dtype=np.int64)
    for index, (u, v) in enumerate(combinations(range(7), 2)):
        matrix[u, v] = bits >> index & 1
    operations = ["input", *kinds, "output"]
    graph: nx.DiGraph[int] = nx.DiGraph(matrix)
    alive = sorted((nx.descendants(graph, 0) | {0}) & (nx.ancestors(graph, 6) | {6}))
    pruned, names = matrix[np.ix_(alive, alive)], [operations[v] for v in alive]
    if 0 not in alive or pruned.sum() > 9:
        with pytest.raises(InputError):
            SPACE.from_matrix(matrix, operations)
        return
    architecture = SPACE.from_matrix(matrix, operations)
    found, words = SPACE.matrix(architecture)
    np.testing.assert_array_equal(found, pruned)
    assert list(words) == names
    assert SPACE.from_matrix(found, words).tokens == architecture.tokens
    labels = [{"input": -1, "output": -2}.get(name, MODULES.index(name) if name in MODULES else 0) for name in names]
    assert SPACE.module_hash(architecture) == module_hash(pruned.tolist(), labels)


@pytest.mark.parametrize(
    ("matrix", "operations", "rule"),
    [
        ([[0, 1], [0, 0]], ["input", "x", "output"], "upper triangular, and of shape"),
        ([[0, 2], [0, 0]], ["input", "output"], "must be 0 or 1"),
        ([[0, 1], [1, 0]], ["input", "output"], "upper triangular"),
        ([[0]], ["input"], "upper triangular"),
        ([[0, 1], [0, 0]], ["output", "input"], "must begin with input"),
        (np.triu(np.ones((3, 3)), 1), ["input", "conv5x5", "output"], "operation 'conv5x5': is not one of"),
        (np.zeros((2, 2)), ["input", "output"], "no path leads from input to output"),
        (np.triu(np.ones((7, 7)), 1), ["input", *["conv3x3"] * 5, "output"], "7 vertices, 21 edges"),
        (np.eye(8, k=1), ["input", *["conv3x3"] * 6, "output"], "8 vertices, 7 edges"),
    ],
)
def test_wrong_matrices_are_refused(matrix: Any, operations: list[str], rule: str) -> None:
    with pytest.raises(InputError, match=rule):
        SPACE.from_matrix(matrix, operations)


def test_text() -> None:
    architecture = SPACE.parse(TEXT)
    assert SPACE.format(architecture) == TEXT
    space, again = parse_architecture(TEXT)
    assert isinstance(space, NASBench101Space)
    assert again == architecture
    assert isinstance(create_space("nasbench101"), NASBench101Space)
    assert NASBench101Space.claims("|nor_conv_3x3~0|") is None


@pytest.mark.parametrize(
    ("text", "position", "rule"),
    [
        ("", 0, "expected 'nasbench101:'"),
        ("nasbench101:", 12, "expected conv3x3 or conv1x1 or maxpool3x3 or output, got ''"),
        ("nasbench101:conv5x5@0,output@1", 12, "got 'conv5x5'"),
        ("nasbench101:conv3x3", 19, "expected '@'"),
        ("nasbench101:conv3x3@1", 20, "expected an input in 0..0, ascending"),
        ("nasbench101:conv3x3@0", 21, "expected ','"),
        ("nasbench101:conv3x3@0,output@1+0", 31, "expected an input in 2..1"),
        ("nasbench101:conv3x3@0,output@0+0", 31, "expected an input in 1..1"),
        ("nasbench101:output@0,", 20, "expected the end"),
        ("nasbench101:" + "conv3x3@0," * 6, 62, "expected output, got 'conv3x3'"),
    ],
)
def test_syntax_errors(text: str, position: int, rule: str) -> None:
    with pytest.raises(ArchitectureSyntaxError) as caught:
        SPACE.parse(text)
    assert caught.value.position == position
    assert rule in str(caught.value)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("conv3x3@0,output@0", "'no' at position 21 (1->output) cannot follow; valid: yes"),
        ("conv3x3@0,conv3x3@0+1,conv3x3@0+1+2,conv3x3@0+1+2+3,output@4", "cannot follow"),
    ],
)
def test_cells_outside_the_space_are_explained(text: str, rule: str) -> None:
    with pytest.raises(InputError) as caught:
        SPACE.parse(f"nasbench101:{text}")
    assert rule in str(caught.value)


def test_graph() -> None:
    graph = SPACE.graph(SPACE.parse(TEXT))
    assert [(node.label, node.kind) for node in graph.nodes] == [
        ("input", "input"),
        ("conv3x3", "inner"),
        ("maxpool3x3", "inner"),
        ("conv1x1", "inner"),
        ("output", "output"),
    ]
    edges = [(edge.source, edge.target) for edge in graph.edges]
    assert edges == [(0, 1), (0, 2), (0, 4), (1, 2), (1, 3), (2, 4), (3, 4)]
