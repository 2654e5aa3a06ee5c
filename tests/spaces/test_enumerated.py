"""A space cut down to listed rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from naopt.errors import InputError
from naopt.spaces import ConvCellSpace, EnumeratedSpace, NASBench201Space
from tests.spaces.examples import listed, mlp


@pytest.mark.parametrize(
    "rows", [[], [0, 1], [[0]], [[0, 1, 0]], np.zeros((2, 2, 2), dtype=np.int64), [[0.0, 1.0]], [["0", "1"]]]
)
def test_rows_of_another_shape_or_type(rows: Any) -> None:
    with pytest.raises(InputError, match=r"rows .*: must be integers \(n, 2\) with n > 0"):
        EnumeratedSpace(mlp(), rows)


def test_rows_have_to_be_valid() -> None:
    with pytest.raises(InputError, match=r"rows '0 7': token 7 at position 1 \(depth\) is not in 0..1"):
        EnumeratedSpace(mlp(), [[0, 1], [0, 7]])


def test_equal_rows_count_once_and_are_held_in_canonical_form() -> None:
    whole = ConvCellSpace(3, "enas-5")
    rng = np.random.default_rng(0)
    rows = [whole.sample(rng).tokens for _ in range(20)]
    space = EnumeratedSpace(whole, rows + [whole.symmetric(row, rng) for row in rows])
    assert space.size == len({whole.canonical(row) for row in rows})
    assert all(tuple(row) == whole.canonical(row) for row in space.rows.tolist())


def test_an_equal_architecture_is_the_listed_row() -> None:
    space = listed(ConvCellSpace(3, "enas-5"), 20)
    rng = np.random.default_rng(0)
    row = space.sample(rng)
    other = next(s for s in space.whole.symmetries(row.tokens) if s != row.tokens)
    assert not space.contains(other)
    assert space.architecture(other).tokens == row.tokens
    assert space.parse(space.whole.format(space.whole.architecture(other))).tokens == row.tokens


def test_what_is_not_listed_is_refused() -> None:
    space = EnumeratedSpace(mlp(), [[0, 0], [2, 1]])
    assert space.explain_invalid((1, 0)) == "is not among the 2 listed rows"
    with pytest.raises(InputError, match="is not among the 2 listed rows"):
        space.parse("width=32,depth=1")
    with pytest.raises(InputError, match="is not in"):
        space.architecture((9, 0))
    assert space.choices(()) == (0, 2)
    assert space.choices((2,)) == (1,)


def test_rows_of_nasbench201_stay_apart() -> None:
    """Cells that compute the same are still two queries there."""
    space = EnumeratedSpace(NASBench201Space(), [[1, 2, 0, 0, 3, 4], [2, 1, 0, 0, 4, 3]])
    assert space.size == 2
    one, other = (space.architecture(row) for row in space.rows.tolist())
    assert one != other
    assert space.canonical(one.tokens) == space.canonical(other.tokens)


def test_mutation_without_neighbours_takes_a_near_row() -> None:
    whole = ConvCellSpace(5)
    space = listed(whole, 40)
    rng = np.random.default_rng(0)
    row = space.sample(rng)
    assert not list(space.neighbours(row))
    mutants = {space.mutate(row, rng) for _ in range(100)}
    assert row not in mutants
    assert 2 <= len(mutants) <= 8
    alone = listed(whole, 1)
    assert alone.mutate(alone.sample(rng), rng) == alone.sample(rng)


def test_neighbours_are_listed_rows() -> None:
    space = EnumeratedSpace(mlp(), [[0, 0], [0, 1], [2, 1]])
    assert [a.tokens for a in space.neighbours(space.architecture((0, 1)))] == [(2, 1), (0, 0)]
    assert space.mutate(space.architecture((0, 0)), np.random.default_rng(0)).tokens == (0, 1)
