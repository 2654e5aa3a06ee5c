"""Hierarchical evolution: levels, mutations at each of them, tournaments, and a population that only grows."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from naopt.measurement import Measurement
from naopt.searchers.hierarchical import HierarchicalSearcher, HierarchicalSettings, completed, levels
from naopt.spaces import Architecture, ConvCellSpace, NASBench201Space, RecurrentCellSpace, SearchSpace
from naopt.testing.searchers import score
from tests.searchers.driving import FAILED, create, drive, grid, scored
from tests.spaces.examples import SPACES, listed

CELLS = ConvCellSpace(3, "nao-11")


def toy(architecture: Architecture) -> Measurement:
    return scored(score(architecture))


@pytest.mark.parametrize(
    ("space", "expected"),
    [
        (ConvCellSpace(), [(1, 60), (3, 20), (30, 2)]),
        (RecurrentCellSpace(), [(1, 22), (2, 11)]),
        (NASBench201Space(), [(1, 6)]),
        (grid(3), [(1, 1)]),
    ],
)
def test_levels(space: SearchSpace, expected: list[tuple[int, int]]) -> None:
    found = levels(space)
    assert [(level.size, len(level.starts)) for level in found] == expected
    for level in found:
        assert level.starts == tuple(range(0, len(space.positions), level.size))


@given(name=st.sampled_from(sorted(SPACES)), seed=st.integers(0, 2**32))
def test_mutants_are_valid(name: str, seed: int) -> None:
    space, rng = SPACES[name], np.random.default_rng(seed)
    search = create(HierarchicalSearcher, space)
    tokens = search.mutated(space.sample(rng).tokens, rng)
    assert space.explain_invalid(tokens) is None


@given(st.integers(0, 2**32))
def test_a_mutation_changes_one_block(seed: int) -> None:
    """In a space whose units are valid wherever they stand no other block has to give way."""
    rng = np.random.default_rng(seed)
    search = create(HierarchicalSearcher, CELLS)
    before = CELLS.sample(rng).tokens
    after = search.mutated(before, rng)
    changed = {index for index, (one, other) in enumerate(zip(before, after, strict=True)) if one != other}
    blocks = [set(range(start, start + level.size)) for level in search.levels for start in level.starts]
    assert any(changed <= block for block in blocks)


@pytest.mark.parametrize("level", [1, 2])
def test_copies_come_from_where_they_fit(level: int) -> None:
    search = create(HierarchicalSearcher, CELLS, copy_share=1.0)
    search.levels = [search.levels[level]]
    rng = np.random.default_rng(1)
    size, copied = search.levels[0].size, 0
    for _ in range(200):
        before = CELLS.sample(rng).tokens
        after = search.mutated(before, rng)
        blocks = [before[start : start + size] for start in range(0, len(before), size)]
        moved = [(i, after[i * size : (i + 1) * size]) for i in range(len(blocks))]
        differing = [(i, block) for i, block in moved if block != blocks[i]]
        assert len(differing) <= 1
        if differing:
            assert differing[0][1] in blocks
            copied += 1
    assert copied > 190


def test_a_unit_whose_input_is_later_is_no_source() -> None:
    """The last node may read node 3, which the first may not: its branch never becomes the first node's."""
    search = create(HierarchicalSearcher, CELLS, copy_share=1.0)
    search.levels = [search.levels[1]]
    tokens = list(CELLS.sample(np.random.default_rng(0)).tokens)
    tokens[12:15] = [3, *tokens[13:15]]
    assert CELLS.contains(tokens)
    unit = search.levels[0]
    assert 12 not in search._sources(tuple(tokens), unit, 0)
    assert all(source in unit.starts for source in search._sources(tuple(tokens), unit, 12))


def test_blocks_are_drawn_anew_uniformly() -> None:
    space = ConvCellSpace(1, "enas-5")
    search = create(HierarchicalSearcher, space, copy_share=0.0)
    search.levels = [search.levels[1]]
    rng = np.random.default_rng(2)
    tokens = space.sample(rng).tokens
    counts = Counter(search.mutated(tokens, rng)[:2] for _ in range(8000))
    del counts[tokens[:2]]
    assert len(counts) == 9
    assert chisquare(list(counts.values())).pvalue > 1e-4


def test_completed_keeps_what_it_can() -> None:
    space = listed(ConvCellSpace(3, "enas-5"), 200)
    rng = np.random.default_rng(0)
    for _ in range(20):
        wanted = space.sample(rng).tokens
        assert completed(space, wanted, rng) == wanted
        broken = [*wanted[:5], None, *wanted[6:]]
        found = completed(space, broken, rng)
        assert space.contains(found)
        assert found[:5] == wanted[:5]
    free = grid(3, 3, 3)
    assert completed(free, (2, 7, 1), rng)[::2] == (2, 1)


def test_parents_win_tournaments_and_nobody_is_removed() -> None:
    search = create(HierarchicalSearcher, CELLS, initial=40, initial_mutations=5, tournament=0.25)
    found = drive(search, toy, 70)
    assert [a for a, _ in search.population] == [p.architecture for p in found]
    assert [p.origin for p in found] == ["diversified"] * 40 + ["mutation"] * 30
    for index, proposal in enumerate(found[40:], 40):
        rng = np.random.default_rng([0, index])
        drawn = rng.permutation(index)[: round(0.25 * index)]
        assert proposal.parent == max((found[i].architecture for i in drawn), key=score)


def test_even_a_small_tournament_has_two() -> None:
    search = create(HierarchicalSearcher, NASBench201Space(), initial=2, tournament=0.01)
    found = drive(search, toy, 3)
    assert found[2].parent == max((found[0].architecture, found[1].architecture), key=score)


def test_many_mutations_forget_where_they_began() -> None:
    """The first architectures share one ancestor, yet every choice of a position is about as frequent."""
    space = NASBench201Space()
    search = create(HierarchicalSearcher, space, budget=2000, initial=300, initial_mutations=60)
    first = [p.architecture for p in search.ask(300)]
    counts = Counter(a.tokens[0] for a in first)
    assert chisquare([counts[choice] for choice in range(5)]).pvalue > 1e-4
    close = create(HierarchicalSearcher, space, budget=2000, initial=300, initial_mutations=1)
    near = [p.architecture for p in close.ask(300) if p.origin == "diversified"]
    assert len(near) <= 24


def test_failures_stay_out_of_the_population() -> None:
    search = create(HierarchicalSearcher, NASBench201Space(), initial=5)
    found = drive(search, lambda a: FAILED if a.tokens[0] == 3 else toy(a), 40)
    assert len(found) == 40
    assert [a for a, _ in search.population] == [p.architecture for p in found if p.architecture.tokens[0] != 3]
    hopeless = create(HierarchicalSearcher, NASBench201Space(), initial=5)
    origins = [p.origin for p in drive(hopeless, lambda _: FAILED, 12)]
    assert origins == ["diversified"] * 12


def test_where_mutation_finds_nothing_new_random_ones_take_over() -> None:
    space = grid(2, 2, 2)
    found = drive(create(HierarchicalSearcher, space, initial=2, attempts=1), toy, 20)
    assert len(found) == space.size
    assert "refill" in {p.origin for p in found}


def test_initial_population() -> None:
    assert create(HierarchicalSearcher, CELLS, budget=100).initial == 20
    assert create(HierarchicalSearcher, CELLS, budget=7000).initial == 200
    assert create(HierarchicalSearcher, CELLS, budget=1).initial == 1
    paper = HierarchicalSettings.parse({"preset": "liu2018"})
    assert (paper.initial, paper.initial_mutations, paper.tournament) == (200, 1000, 0.05)
