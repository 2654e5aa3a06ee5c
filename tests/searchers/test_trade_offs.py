"""What searchers for several objectives share: order by fronts, directions, and the scale."""

from __future__ import annotations

import numpy as np
import pytest

from naopt.errors import UnknownNameError
from naopt.measurement import Measurement
from naopt.problem import Objective, Problem
from naopt.searchers.trade_offs import Scale, by_fronts, chebyshev, directions, linear
from naopt.spaces import Architecture
from tests.searchers.driving import grid

PROBLEM = Problem((Objective("acc"), Objective("ms", "min")))


def told(*rows: tuple[float, float]) -> list[tuple[Architecture, Measurement]]:
    return [(a, Measurement({"acc": x, "ms": y})) for a, (x, y) in zip(grid(40).enumerate(), rows, strict=False)]


def test_fronts_come_first_and_in_them_the_ends() -> None:
    points = np.array([[0.0, 0.0], [1, 5], [3, 3], [3.1, 2.9], [5, 1], [2, 2]])
    assert by_fronts(points).tolist() == [1, 4, 2, 3, 5, 0]
    assert by_fronts(1e200 * points).tolist() == [1, 4, 2, 3, 5, 0], "whatever the unit"
    assert len(by_fronts(np.empty((0, 2)))) == 0


@pytest.mark.parametrize(("objectives", "count"), [(2, 8), (3, 12), (4, 3), (2, 1)])
def test_directions_are_distinct_and_sum_to_one(objectives: int, count: int) -> None:
    found = directions(objectives, count)
    assert found.shape == (count, objectives)
    assert (found >= 0).all()
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert len(np.unique(found.round(9), axis=0)) == count


def test_directions_of_two_are_equally_spaced() -> None:
    np.testing.assert_allclose(np.sort(directions(2, 6)[:, 0]), np.linspace(0, 1, 6))
    np.testing.assert_allclose(directions(2, 1), [[0.5, 0.5]])


def test_chebyshev_reaches_what_no_weighted_sum_prefers() -> None:
    """The middle of a front that bends inwards."""
    points, weights = np.array([[1.0, 0.0], [0.4, 0.4], [0.0, 1.0]]), np.array([0.5, 0.5])
    assert linear(points, weights).argmax() != 1
    assert chebyshev(points, weights).argmax() == 1
    assert chebyshev(points, weights)[1] == pytest.approx(-(0.3 + 0.05 * 0.6))


def test_given_ends_are_a_straight_line_whatever_was_told() -> None:
    scale = Scale.of(PROBLEM, told((1, 1), (2, 9)), {"ms": (0, 20), "acc": (100, 0)})
    np.testing.assert_allclose(
        scale(np.array([[50.0, -5.0], [100.0, 0.0], [0.0, -40.0]])), [[0.5, 0.75], [1.0, 1.0], [0.0, -1.0]]
    )
    assert scale.told == 0
    with pytest.raises(UnknownNameError, match="did you mean 'ms'"):
        Scale.of(PROBLEM, (), {"mss": (0, 1)})


def test_without_ends_ranks_count() -> None:
    rows = [(10.0, 1.0), (90.0, 2.0), (91.0, 3.0), (92.0, 4.0), (93.0, 5.0)]
    one, other = (Scale.of(PROBLEM, told((worst, 1.0), *rows[1:]), {}) for worst in (10.0, -1e9))
    scores = np.array([[x, -y] for x, y in rows])
    values = one(scores)
    np.testing.assert_allclose(values[1:], other(scores)[1:])
    assert values[:, 0].tolist() == pytest.approx(values[::-1, 1].tolist())
    assert values[2].tolist() == pytest.approx([0.5, 0.5])
    assert (values[[0, -1], 0] == [0, 1]).all()
    assert one(np.array([[99.0, 0.0]])).min() > 1, "what is better than all is better than 1"


def test_the_scale_moves_on_a_schedule() -> None:
    rows = [(float(i), float(i)) for i in range(40)]
    moved = [Scale.of(PROBLEM, told(*rows[:n]), {}).told for n in range(8, 40)]
    assert sorted(set(moved)) == [8, 10, 12, 15, 18, 22, 27, 33]
    alike = Scale.of(PROBLEM, told((1, 1), (1, 1)), {})
    assert (alike(np.array([[1.0, -1.0]])) == 0).all()
