"""Distances to a front, knees and attained surfaces, against moocore and by hand."""

import moocore
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from naopt.errors import InputError
from naopt.metrics import attainment, igd_plus, knee
from tests.metrics.clouds import clouds


@given(st.integers(2, 4).flatmap(lambda k: st.tuples(clouds(objectives=k), clouds(objectives=k))))
def test_igd_plus_is_that_of_moocore(both: tuple[np.ndarray, np.ndarray]) -> None:
    points, front = both
    if len(points) and len(front):
        expected = moocore.igd_plus(points, ref=front, maximise=True)
        assert igd_plus(points, front) == pytest.approx(expected, abs=1e-12)
    else:
        with pytest.raises(InputError, match="at least one of each"):
            igd_plus(points, front)


def test_igd_plus_counts_only_where_a_point_is_worse() -> None:
    assert igd_plus([[1.0, 1.0]], [[1.0, 1.0], [0.0, 0.5]]) == 0
    assert igd_plus([[9.0, 0.5]], [[1.0, 1.0], [0.0, 0.5]]) == pytest.approx(0.25)


def test_the_knee_is_farthest_from_the_line_through_the_ends() -> None:
    points = [[0, 100], [1, 20], [5, 90], [9, 70], [10, 0]]
    assert knee(points) == 3
    scaled = np.array(points) * [1e-3, 1e6] + [7, -3]
    assert knee(scaled) == 3


def test_knees_of_few_points_and_of_ties() -> None:
    assert knee([[4, 4]]) == 0
    assert knee([[0, 1], [1, 0]]) == 0
    assert knee([[0, 0, 0], [1, 0, 2], [1, 0, 2]]) == 1
    assert knee([*np.eye(3), np.full(3, 0.6)]) == 3
    with pytest.raises(InputError, match="at least one"):
        knee(np.empty((0, 2)))


@given(st.lists(clouds(objectives=2, most=6), min_size=1, max_size=6), st.sampled_from([0.25, 0.5, 0.75, 1.0]))
def test_what_is_attained_is_what_enough_runs_attain(runs: list[np.ndarray], share: float) -> None:
    surface = attainment(runs, share)
    places = np.concatenate([*runs, surface, np.random.default_rng(0).random((5, 2))])
    for place in places:
        attained_by = sum(bool((run >= place).all(axis=1).any()) for run in runs)
        assert (surface >= place).all(axis=1).any() == (attained_by >= share * len(runs))
    assert (np.diff(surface[:, 0]) > 0).all()
    assert (np.diff(surface[:, 1]) < 0).all()


def test_shares_are_taken_as_they_are_written() -> None:
    runs = [np.array([[float(number), 1.0]]) for number in range(10)]
    assert attainment(runs, 0.7).tolist() == [[3.0, 1.0]]
    assert attainment([np.empty((0, 2)), [[1, 1]]], 1).tolist() == []


def test_attainment_is_of_runs_with_two_objectives() -> None:
    with pytest.raises(InputError, match="of two objectives each"):
        attainment([[[1, 2, 3]]])
    with pytest.raises(InputError, match="at least one"):
        attainment([])
    with pytest.raises(InputError, match="share"):
        attainment([[[1, 2]]], 0)
