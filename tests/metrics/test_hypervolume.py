"""Hypervolumes against moocore and by hand; boxes against the hypervolumes of one point more."""

import moocore
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import ArrayLike

from naopt.errors import InputError
from naopt.metrics import boxes, hypervolume, non_dominated
from tests.metrics.clouds import clouds

references = st.sampled_from([-0.1, 0.0, 1 / 3, 0.4])


@given(clouds(), references)
def test_hypervolume_is_that_of_moocore(points: np.ndarray, corner: float) -> None:
    reference = np.full(points.shape[1], corner)
    if points.shape[1] == 1 or not len(points):
        expected = max(0.0, *(points[:, 0] - corner), 0.0) if points.shape[1] == 1 else 0.0
    else:
        expected = moocore.hypervolume(points, ref=reference, maximise=True)
    assert hypervolume(points, reference) == pytest.approx(expected, abs=1e-12)


def test_hypervolume_of_five_objectives() -> None:
    points = np.random.default_rng(1).random((25, 5))
    expected = moocore.hypervolume(points, ref=np.zeros(5), maximise=True)
    assert hypervolume(points, np.zeros(5)) == pytest.approx(expected, rel=1e-12)


def test_hypervolume_by_hand() -> None:
    assert hypervolume([[3, 1], [1, 2], [1, 1]], [0, 0]) == 4
    assert hypervolume([[3, 1, 2], [1, 2, 1]], [0, 0, 0]) == 7
    assert hypervolume([[3, 0], [-1, 9]], [0, 0]) == 0
    assert hypervolume(np.empty((0, 3)), [0, 0, 0]) == 0


@given(clouds(), references, st.integers(0, 2**32 - 1), st.booleans())
def test_boxes_say_what_a_point_would_add(points: np.ndarray, corner: float, seed: int, on_grid: bool) -> None:
    reference = np.full(points.shape[1], corner)
    lower, upper = boxes(points, reference)
    assert (lower < upper).all()
    assert np.isfinite(lower).all()
    more = np.random.default_rng(seed).random((4, points.shape[1])) * 1.5
    more = np.round(more * 6) / 6 if on_grid else more
    added = np.clip(np.minimum(more[:, None], upper) - lower, 0, None).prod(axis=2).sum(axis=1)
    before = hypervolume(points, reference)
    expected = [hypervolume(np.vstack([points, one]), reference) - before for one in more]
    assert added == pytest.approx(expected, abs=1e-12)


@given(clouds(), references)
def test_boxes_are_disjoint(points: np.ndarray, corner: float) -> None:
    lower, upper = boxes(points, np.full(points.shape[1], corner))
    overlap = (np.maximum(lower[:, None], lower) < np.minimum(upper[:, None], upper)).all(axis=2)
    assert (overlap == np.eye(len(lower), dtype=bool)).all()


@given(clouds(objectives=3), references)
def test_boxes_of_three_objectives_are_few(points: np.ndarray, corner: float) -> None:
    above = points[(points > corner).all(axis=1)]
    front = np.unique(above[non_dominated(above)], axis=0)
    assert len(boxes(points, [corner] * 3)[0]) <= 2 * len(front) + 1


def test_boxes_without_a_front_are_one() -> None:
    lower, upper = boxes(np.empty((0, 2)), [1, 2])
    assert lower.tolist() == [[1, 2]]
    assert np.isposinf(upper).all()


@pytest.mark.parametrize("reference", [[0.0], [0.0, np.nan], [0.0, -np.inf], 0.0])
def test_a_reference_has_a_finite_number_for_each_objective(reference: ArrayLike) -> None:
    for function in (hypervolume, boxes):
        with pytest.raises(InputError, match="must be 2 finite numbers"):
            function([[1, 2]], reference)
