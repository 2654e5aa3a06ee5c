"""Rows as bytes against plain sets of tuples."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from naopt.measurement import MetricInfo
from naopt.spaces import ConvCellSpace, EnumeratedSpace, GenericSpace, NASBench101Space, NASBench201Space, Position
from naopt.spaces.row_index import PrefixIndex, RowIndex, sorted_rows
from naopt.tables import Table


@cache
def position(index: int, size: int) -> Position:
    return Position(f"p{index}", tuple(map(str, range(size))))


def positions(*sizes: int) -> list[Position]:
    return [position(index, size) for index, size in enumerate(sizes)]


SIZES = st.lists(st.sampled_from([1, 2, 3, 300, 70_000]), min_size=1, max_size=4)


@given(SIZES, st.data())
def test_rows_are_found_and_sorted_as_tuples_are(sizes: list[int], data: st.DataObject) -> None:
    near = [sorted({0, 1, 255, 256, size - 1} & set(range(size))) for size in sizes]
    sequences = st.tuples(*map(st.sampled_from, near))
    rows = data.draw(st.lists(sequences, min_size=1, max_size=20))
    array = np.array(rows, dtype=np.int64)
    index = RowIndex(array, positions(*sizes))
    for wanted in [*rows, data.draw(sequences)]:
        assert index.get(wanted) == (rows.index(wanted) if wanted in rows else None)
    again = [row for row, tokens in enumerate(rows) if rows.index(tokens) < row]
    assert index.repeated(array) == ((again[0], rows.index(rows[again[0]])) if again else None)
    ordered = sorted_rows(array, positions(*sizes))
    assert [tuple(row) for row in ordered.tolist()] == sorted(set(rows))
    prefixes = PrefixIndex(ordered, positions(*sizes))
    for length, size in enumerate(sizes):
        heads = [row[:length] for row in [*rows, data.draw(sequences)]]
        found = prefixes.follows(np.array(heads, dtype=np.int64).reshape(len(heads), length))
        assert found.shape == (len(heads), size)
        for head, follows in zip(heads, found, strict=True):
            expected = {row[length] for row in rows if row[:length] == head}
            assert set(np.flatnonzero(follows).tolist()) == expected


@pytest.mark.parametrize("space", [ConvCellSpace(2), NASBench101Space(), NASBench201Space()], ids=lambda s: s.name)
def test_many_rows_agree_with_single_sequences(space: Any) -> None:
    rng = np.random.default_rng(0)
    tokens = np.array([space.sample(rng).tokens for _ in range(60)])
    broken = tokens.copy()
    broken[np.arange(60), rng.integers(tokens.shape[1], size=60)] = rng.integers(-1, 7, size=60)
    valid = space.valid_rows(broken)
    assert not valid.all()
    assert valid.tolist() == [space.contains(row) for row in broken.tolist()]
    assert space.identities(tokens).tolist() == [list(space.identity(row)) for row in tokens.tolist()]
    part = EnumeratedSpace(space, tokens)
    assert part.distinct == part.size == len(part.rows)
    assert part.identities(tokens).tolist() == space.identities(tokens).tolist()
    assert part.valid_rows(part.rows).all()


def test_a_table_of_all_cells_lets_one_search_the_whole_space(monkeypatch: pytest.MonkeyPatch) -> None:
    space = NASBench101Space()
    cells = list({space.sample(np.random.default_rng(seed)) for seed in range(5)})
    table = Table(
        "toy", space, np.array([c.tokens for c in cells]), {"a": np.zeros(len(cells))}, {"a": MetricInfo()}
    )  # fmt: skip
    assert isinstance(table.search_space(), EnumeratedSpace)
    monkeypatch.setattr(NASBench101Space, "distinct", len(cells))
    assert table.search_space() is space


def test_spaces_that_know_no_number_of_their_architectures() -> None:
    assert ConvCellSpace(2).distinct is None
    assert GenericSpace(positions(2, 3)).distinct is None
