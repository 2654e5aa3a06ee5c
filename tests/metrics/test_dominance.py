"""Which points are dominated, against counting pair by pair and against moocore."""

import moocore
import numpy as np
import pytest
from hypothesis import given
from numpy.typing import ArrayLike

from naopt.errors import InputError
from naopt.metrics import crowding, non_dominated, non_dominated_ranks
from tests.metrics.clouds import clouds


def dominates(mine: np.ndarray, other: np.ndarray) -> bool:
    return bool((mine >= other).all() and (mine > other).any())


@given(clouds())
def test_a_point_is_kept_if_no_other_dominates_it(points: np.ndarray) -> None:
    expected = [not any(dominates(other, point) for other in points) for point in points]
    assert non_dominated(points).tolist() == expected


@given(clouds())
def test_ranks_are_those_of_moocore(points: np.ndarray) -> None:
    ranks = non_dominated_ranks(points)
    if points.shape[1] > 1 and len(points):
        assert ranks.tolist() == moocore.pareto_rank(points, maximise=True).tolist()
    assert ((ranks == 0) == non_dominated(points)).all()


def test_equal_points_are_kept_together() -> None:
    points = [[1, 2], [1, 2], [2, 1], [1, 1], [0, 3], [1, 1]]
    assert non_dominated(points).tolist() == [True, True, True, False, True, False]
    assert non_dominated_ranks(points).tolist() == [0, 0, 0, 1, 0, 1]


def test_crowding_is_half_the_perimeter_around_a_point_in_shares_of_the_range() -> None:
    points = [[0, 10], [1, 8], [4, 4], [10, 0]]
    assert crowding(points).tolist() == pytest.approx([np.inf, 0.4 + 0.6, 0.9 + 0.8, np.inf])


def test_crowding_of_few_points_and_of_equal_values() -> None:
    assert crowding(np.empty((0, 2))).tolist() == []
    assert crowding([[1, 2]]).tolist() == [0.0]
    assert crowding([[1, 2], [3, 0]]).tolist() == [np.inf, np.inf]
    assert crowding([[5, 0], [5, 1], [5, 4]]).tolist() == [np.inf, 1.0, np.inf]


@pytest.mark.parametrize("points", [[1.0, 2.0], [[np.nan, 1.0]], [[np.inf, 1.0]], np.empty((2, 0))])
def test_points_are_a_table_of_finite_numbers(points: ArrayLike) -> None:
    for function in (non_dominated, non_dominated_ranks, crowding):
        with pytest.raises(InputError, match="must be a table of finite numbers"):
            function(points)
