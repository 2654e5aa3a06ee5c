"""The meta-graph space against plain enumeration."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from naopt.errors import ArchitectureSyntaxError, InputError
from naopt.spaces import InstaSpace, create_space, parse_architecture

TEXT = "insta:mb3e3+mb5e6,skip/mb3e1"


@pytest.mark.parametrize(
    ("blocks", "stages", "count"), [(1, 1, 2), (3, 1, 2), (3, 2, 3), (3, 3, 1), (4, 3, 2), (2, 2, 4)]
)
def test_size_by_enumeration(blocks: int, stages: int, count: int) -> None:
    """Blocks that halve the map are the first ones of later stages: one of their operations is on."""
    space = InstaSpace(blocks, stages, "+".join(f"mb3e{1 + index}" for index in range(count)))
    longer = blocks % stages
    starts = {sum(blocks // stages + (stage < longer) for stage in range(upto)) for upto in range(1, stages)}
    valid = {
        bits
        for bits in product((0, 1), repeat=blocks * count)
        if all(any(bits[block * count : (block + 1) * count]) for block in starts)
    }
    assert {architecture.tokens for architecture in space.enumerate()} == valid
    assert space.size == len(valid)
    assert [block for block, skippable in enumerate(space.skippable) if not skippable] == sorted(starts)


def test_the_default_and_the_published_size() -> None:
    assert InstaSpace().name == "insta"
    assert InstaSpace().size == 32**4 * 31**2
    assert InstaSpace(17, 5).size == 32**13 * 31**4
    assert InstaSpace(17, 5).stage_of == (0,) * 4 + (1,) * 4 + (2,) * 3 + (3,) * 3 + (4,) * 3


@given(
    st.integers(1, 9), st.integers(1, 9), st.sets(st.sampled_from(["mb3e1", "mb5e12", "mb7e2"]), min_size=1), st.data()
)
def test_text_and_name_are_read_back(blocks: int, stages: int, names: set[str], data: st.DataObject) -> None:
    space = InstaSpace(blocks, min(stages, blocks), "+".join(sorted(names)))
    architecture = space.sample(np.random.default_rng(data.draw(st.integers(0, 2**32 - 1))))
    text = space.format(architecture)
    assert space.parse(text).tokens == architecture.tokens
    again = create_space(space.name)
    assert isinstance(again, InstaSpace)
    assert (again.name, again.positions, again.stage_of) == (space.name, space.positions, space.stage_of)
    claimed, same = parse_architecture(text)
    assert claimed.format(same) == text
    at = data.draw(st.integers(0, len(text) - 1))
    with pytest.raises(ArchitectureSyntaxError) as caught:
        space.parse(text[:at] + "?" + text[at + 1 :])
    assert caught.value.position <= at


def test_a_text_brings_its_space() -> None:
    space, architecture = parse_architecture(TEXT)
    assert space.name == "insta:blocks=3,stages=2"
    assert architecture.tokens == (0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0)
    assert parse_architecture("insta:mb3e1+mb7e2")[0].name == "insta:blocks=1,stages=1,operations=mb3e1+mb7e2"


@pytest.mark.parametrize(
    ("text", "position", "rule"),
    [
        ("insta", 0, "expected 'insta:'"),
        ("insta:", 6, "expected one of mb3e1, mb3e3, mb3e6, mb5e3, mb5e6, skip in block 1, got ''"),
        (TEXT.replace("mb5e6", "mb3e1"), 12, "expected one of mb3e6, mb5e3, mb5e6 in block 1, got 'mb3e1'"),
        (TEXT.replace("mb5e6", "skip"), 12, "expected one of mb3e6, mb5e3, mb5e6 in block 1, got 'skip'"),
        (TEXT.replace("skip", "conv"), 18, "got 'conv'"),
        (
            TEXT.replace("/mb3e1", "/skip"),
            23,
            "expected one of mb3e1, mb3e3, mb3e6, mb5e3, mb5e6 in block 3, got 'skip'",
        ),
        (TEXT.replace("/", ","), 22, "expected '/'"),
        (TEXT.replace("mb5e6", "mb5e6+"), 17, "expected ','"),
        (TEXT + ",skip", len(TEXT), "expected the end (3 blocks)"),
    ],
)
def test_syntax_errors(text: str, position: int, rule: str) -> None:
    with pytest.raises(ArchitectureSyntaxError) as caught:
        InstaSpace(3, 2).parse(text)
    assert caught.value.position == position
    assert rule in str(caught.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("insta:blocks=0", "blocks '0': must be in 1..64"),
        ("insta:blocks=2,stages=3", "stages '3': must be in 1..2, the number of blocks"),
        ("insta:operations=mb3e3+mb4e1", "operation of insta 'mb4e1': must be mbKeE"),
        ("insta:operations=mb3e13", "operation of insta 'mb3e13': must be mbKeE"),
        ("insta:operations=mb3e1+mb3e1", "each operation may stand once"),
    ],
)
def test_wrong_options(name: str, message: str) -> None:
    with pytest.raises(InputError, match=message.replace("+", r"\+")):
        create_space(name)


@pytest.mark.parametrize(("blocks", "stages"), [(1, 1), (2, 2), (3, 3), (9, 3)])
def test_there_are_three_stages_where_there_are_as_many_blocks(blocks: int, stages: int) -> None:
    space = create_space(f"insta:blocks={blocks}")
    assert isinstance(space, InstaSpace)
    assert space.stages == stages
    assert create_space(space.name).name == space.name


def test_the_last_operation_of_a_block_that_halves_the_map_is_kept() -> None:
    space = InstaSpace(2, 2, "mb3e1+mb3e3")
    assert space.choices((0, 0, 0)) == (1,)
    assert space.choices((0, 0, 1)) == (0, 1)
    found = [space.format(neighbour) for neighbour in space.neighbours(space.parse("insta:skip/mb3e3"))]
    assert found == ["insta:mb3e1/mb3e3", "insta:mb3e3/mb3e3", "insta:skip/mb3e1+mb3e3"]


def test_a_graph_is_a_chain_of_blocks() -> None:
    space, architecture = parse_architecture(TEXT)
    graph = space.graph(architecture)
    assert [node.label for node in graph.nodes] == ["in", "1", "2", "out"]
    assert [(edge.source, edge.target, edge.label) for edge in graph.edges] == [
        (0, 1, "skip"),
        (0, 1, "mb3e3"),
        (0, 1, "mb5e6"),
        (1, 2, "skip"),
        (2, 3, "mb3e1"),
    ]
    assert space.skips == {"skip"}
