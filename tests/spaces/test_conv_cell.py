"""Convolutional cells: token layout, validity, text form, any number of nodes and any operations."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from naopt.errors import ArchitectureSyntaxError, InputError
from naopt.spaces import Architecture, CellSpec, ConvCellSpace, parse_architecture
from naopt.spaces.cell_spec import CELLS
from naopt.spaces.operations import ENAS_5, NAO_11

OPERATIONS = ("nao-11", "enas-5", "identity+dil_conv5x5", "conv3x3")


@st.composite
def spaces_and_samples(draw: st.DrawFn) -> tuple[ConvCellSpace, Architecture]:
    space = ConvCellSpace(draw(st.integers(1, 7)), draw(st.sampled_from(OPERATIONS)))
    return space, space.sample(np.random.default_rng(draw(st.integers(0, 2**32 - 1))))


@given(spaces_and_samples())
def test_cells_and_text_come_back(drawn: tuple[ConvCellSpace, Architecture]) -> None:
    space, architecture = drawn
    cells = space.cells(architecture)
    assert list(cells) == ["normal", "reduction"]
    assert all(len(cell.nodes) == space.nodes for cell in cells.values())
    assert space.from_cells(**cells).tokens == architecture.tokens
    assert space.parse(space.format(architecture)).tokens == architecture.tokens


@given(spaces_and_samples(), st.integers(0, 2**32 - 1))
def test_symmetric_counterparts_are_equal(drawn: tuple[ConvCellSpace, Architecture], seed: int) -> None:
    space, architecture = drawn
    other = space.architecture(space.symmetric(architecture.tokens, np.random.default_rng(seed)))
    assert other == architecture
    assert space.cells(other)["normal"].loose_ends() == space.cells(architecture)["normal"].loose_ends()


@given(spaces_and_samples())
def test_any_token_is_either_a_choice_or_explained(drawn: tuple[ConvCellSpace, Architecture]) -> None:
    space, architecture = drawn
    for index, position in enumerate(space.positions):
        for token in range(len(position.choices)):
            tokens = (*architecture.tokens[:index], token, *architecture.tokens[index + 1 :])
            valid = token in space.choices(architecture.tokens[:index])
            follows = position.kind == "type" and tokens[index + 1] not in space.choices(tokens[: index + 1])
            assert space.contains(tokens) == (valid and not follows)


@given(spaces_and_samples())
def test_graph_has_an_edge_a_branch_and_joins_loose_ends(drawn: tuple[ConvCellSpace, Architecture]) -> None:
    space, architecture = drawn
    graph = space.graph(architecture)
    loose = sum(len(cell.loose_ends()) for cell in space.cells(architecture).values())
    assert graph.parts == ("normal", "reduction")
    assert len(graph.nodes) == 2 * (space.nodes + 3)
    assert len([edge for edge in graph.edges if edge.label]) == 4 * space.nodes
    assert len([edge for edge in graph.edges if not edge.label]) == loose
    assert all(graph.nodes[edge.target].kind == "output" for edge in graph.edges if not edge.label)


def test_the_papers_layout() -> None:
    """Sixty tokens: input, type, size a branch, two branches a node, five nodes a cell (NAO, appendix)."""
    space = ConvCellSpace()
    assert len(space.positions) == 60
    assert space.tokens_per_step == 3
    assert [position.kind for position in space.positions[:3]] == ["input", "type", "size"]
    assert [len(position.choices) for position in space.positions[0:30:6]] == [2, 3, 4, 5, 6]
    assert space.size == (np.prod([((i + 1) * 11) ** 2 for i in range(1, 6)], dtype=object)) ** 2
    assert len(ConvCellSpace(operations="enas-5").positions) == 40
    assert ConvCellSpace(operations="enas-5").tokens_per_step == 2


def test_size_must_go_with_its_type() -> None:
    space = ConvCellSpace(1)
    architecture = space.parse("normal:identity@0+conv3x3@1/reduction:conv1x1@0+avg_pool5x5@1")
    types, sizes = space.positions[1].choices, space.positions[2].choices
    tokens = list(architecture.tokens)
    tokens[2] = sizes.index("5x5")
    reason = space.explain_invalid(tokens)
    assert reason is not None
    assert "'5x5' at position 2 (normal/2/a/size) cannot follow; valid: 1x1" in reason
    with pytest.raises(InputError, match="cannot follow"):
        space.architecture(tokens)
    assert [sizes[size] for size in space.choices((0, types.index("conv")))] == ["1x1", "3x3", "1x3-3x1", "1x7-7x1"]


def test_equal_cells_with_other_numbering_have_equal_neighbours() -> None:
    space = ConvCellSpace(3, "enas-5")
    normal = "normal:{}/reduction:identity@0+identity@1,identity@0+identity@1,identity@0+identity@1"
    one = space.parse(normal.format("identity@0+max_pool3x3@1,identity@0+identity@0,avg_pool3x3@2+identity@3"))
    other = space.parse(normal.format("identity@0+identity@0,max_pool3x3@1+identity@0,identity@2+avg_pool3x3@3"))
    assert one == other
    assert one.tokens != other.tokens
    assert set(space.neighbours(one)) == set(space.neighbours(other))
    later = space.parse(normal.format("identity@0+max_pool3x3@1,identity@2+identity@0,avg_pool3x3@2+identity@3"))
    assert {later} < set(space.neighbours(one)) & set(space.neighbours(other))
    rng = np.random.default_rng(0)
    assert all(space.mutate(other, rng) in set(space.neighbours(one)) for _ in range(50))


def test_symmetries_are_all_branch_swaps() -> None:
    space = ConvCellSpace(2, "enas-5")
    architecture = space.parse(
        "normal:identity@0+identity@1,identity@0+identity@0/reduction:identity@0+max_pool3x3@0,identity@2+identity@1"
    )
    swaps = list(space.symmetries(architecture.tokens))
    assert len(swaps) == 2**3  # one node has two equal branches
    assert all(space.architecture(swap) == architecture for swap in swaps)


@pytest.mark.parametrize("nodes", [0, 17, -1])
def test_number_of_nodes(nodes: int) -> None:
    with pytest.raises(InputError, match=r"nodes '-?\d+': must be in 1..16"):
        ConvCellSpace(nodes)


def test_cells_that_do_not_fit() -> None:
    space = ConvCellSpace(1, "enas-5")
    good = CellSpec(((((0, "identity")), (1, "identity")),))
    with pytest.raises(InputError, match=r"reduction cell '2 nodes': the space has 1"):
        space.from_cells(good, CellSpec(good.nodes * 2))
    with pytest.raises(InputError, match=r"operation 'conv1x1': not in the set enas-5"):
        space.from_cells(CellSpec((((0, "conv1x1"), (1, "identity")),)), good)
    with pytest.raises(InputError, match=r"input '2': node 2 takes inputs 0..1"):
        space.from_cells(CellSpec((((0, "identity"), (2, "identity")),)), good)


GOOD = "normal:conv3x3@0+identity@1/reduction:conv3x3@0+identity@1"


@pytest.mark.parametrize(
    ("text", "position", "rule"),
    [
        ("", 0, "expected 'normal:'"),
        ("normal:conv3x3@0", 16, "expected '+'"),
        ("normal:conv4x4@0+identity@1", 7, "'conv4x4' is not an operation of nao-11"),
        ("normal:conv3x3+identity@1", 14, "expected '@'"),
        ("normal:conv3x3@2+identity@1", 15, "expected an input in 0..1"),
        ("normal:conv3x3@-1+identity@1", 15, "expected an input in 0..1"),
        ("normal:conv3x3@\u0661+identity@1", 15, "expected an input in 0..1"),
        (GOOD.replace("reduction", "reduce"), 27, "expected '/reduction:'"),
        (GOOD + ",identity@0+identity@1", len(GOOD), "expected the end (1 nodes a cell)"),
    ],
)
def test_syntax_errors(text: str, position: int, rule: str) -> None:
    with pytest.raises(ArchitectureSyntaxError) as caught:
        ConvCellSpace(1).parse(text)
    assert caught.value.position == position
    assert rule in str(caught.value)


@pytest.mark.parametrize("name", ["conv-cell", "conv-cell:operations=enas-5"])
@pytest.mark.parametrize("nodes", [1, 4, 5, 16])
def test_a_text_tells_its_space(name: str, nodes: int) -> None:
    operations = "enas-5" if "enas-5" in name else "nao-11"
    own = set((ENAS_5 if operations == "enas-5" else NAO_11).operations)
    space = ConvCellSpace(nodes, operations)
    architecture = space.sample(np.random.default_rng(4))
    if nodes == 1:  # too few branches for a sample that is sure to tell the two sets apart
        word = next(iter(sorted(own - set((NAO_11 if operations == "enas-5" else ENAS_5).operations))))
        architecture = space.parse("/".join(f"{cell}:{word}@0+{word}@1" for cell in ("normal", "reduction")))
    found, again = parse_architecture(f" {space.format(architecture)}\n")
    assert found.name == space.name
    assert again == architecture


def test_a_text_of_other_operations_tells_those() -> None:
    both = "normal:dil_conv3x3@0+max_pool7x7@1/reduction:dil_conv3x3@0+max_pool7x7@0"
    one = "normal:dil_conv7x7@0+dil_conv7x7@1/reduction:dil_conv7x7@0+dil_conv7x7@0"
    assert parse_architecture(both)[0].name == "conv-cell:nodes=1,operations=dil_conv3x3+max_pool7x7"
    assert parse_architecture(one)[0].name == "conv-cell:nodes=1,operations=dil_conv7x7"


def test_an_unknown_operation_in_a_text_is_named() -> None:
    with pytest.raises(ArchitectureSyntaxError, match="'conv9x9' is not an operation"):
        parse_architecture("normal:conv9x9@0+conv3x3@1/reduction:conv3x3@0+conv3x3@1")


def test_the_output_may_join_all_nodes() -> None:
    nodes = "normal:identity@0+identity@0,conv3x3@2+identity@0/reduction:identity@1+identity@1,conv1x1@0+identity@2"
    loose, all_nodes = ConvCellSpace(2), ConvCellSpace(2, output="nodes")
    assert all_nodes.name == "conv-cell:nodes=2,output=nodes"
    assert parse_architecture(nodes)[0].name == loose.name
    space, architecture = parse_architecture(f"{nodes}/output:nodes")
    assert (space.name, space.format(architecture)) == (all_nodes.name, f"{nodes}/output:nodes")
    assert architecture.tokens == loose.parse(nodes).tokens
    assert architecture != loose.parse(nodes)
    for space_, ends in ((loose, {"normal": (1, 3), "reduction": (3,)}), (all_nodes, dict.fromkeys(CELLS, (2, 3)))):
        of_space = space_.architecture(architecture.tokens)
        cells = space_.cells(of_space)
        assert {name: cell.output_ends() for name, cell in cells.items()} == ends
        assert {name: cell.loose_ends() for name, cell in cells.items()} == {"normal": (1, 3), "reduction": (3,)}
        assert space_.from_cells(**cells) == of_space
        graph = space_.graph(of_space)
        joined = [edge.source for edge in graph.edges if graph.nodes[edge.target].kind == "output"]
        assert joined == [end + 5 * part for part, name in enumerate(CELLS) for end in ends[name]]


@pytest.mark.parametrize(
    ("space", "text", "rule"),
    [
        (ConvCellSpace(1), "{}/output:nodes", "expected the end"),
        (ConvCellSpace(1, output="nodes"), "{}", "expected '/output:nodes'"),
        (ConvCellSpace(1, output="nodes"), "{}/output:loose-ends", "expected '/output:nodes'"),
    ],
)
def test_the_output_belongs_to_the_space(space: ConvCellSpace, text: str, rule: str) -> None:
    cells = "normal:conv3x3@0+conv3x3@1/reduction:conv3x3@0+conv3x3@1"
    with pytest.raises(ArchitectureSyntaxError, match=rule) as caught:
        space.parse(text.format(cells))
    assert caught.value.position == len(cells)


def test_outputs_that_do_not_fit() -> None:
    with pytest.raises(InputError, match="did you mean 'nodes'"):
        ConvCellSpace(output="node")
    cell = CellSpec((((0, "conv3x3"), (1, "conv3x3")),), "nodes")
    with pytest.raises(InputError, match="normal cell's output 'nodes': the space's cells join loose-ends"):
        ConvCellSpace(1).from_cells(cell, cell)


@pytest.mark.parametrize(
    ("operations", "known"),
    [("dil_conv5x5+sep_conv5x5", "darts-7"), ("conv1x7-7x1+sep_conv7x7", "pnas-8"), ("sep_conv7x7+conv1x1", None)],
)
def test_published_sets_are_told_from_the_text(operations: str, known: str | None) -> None:
    one, other = operations.split("+")
    text = f"normal:{one}@0+{other}@1/reduction:{one}@0+{other}@1"
    expected = known or "+".join(sorted((one, other)))
    assert parse_architecture(text)[0].name == f"conv-cell:nodes=1,operations={expected}"
