"""What the best of many is worth, against brute force."""

from __future__ import annotations

import math

import numpy as np
import pytest

from naopt.errors import InputError
from naopt.metrics import expected_finals, expected_maximum, expected_picks


def simulated(correlation: float, count: int, finalists: int, noise: float, trials: int = 40_000) -> float:
    """Mean target of the best of the finalists by the score, in so many made-up searches."""
    rng = np.random.default_rng(0)
    score = rng.normal(size=(trials, count))
    target = correlation * score + math.sqrt(1 - correlation**2) * rng.normal(size=(trials, count))
    top = np.argsort(-score, axis=1)[:, :finalists]
    chosen = np.take_along_axis(target, top, axis=1)
    measured = chosen + noise * rng.normal(size=chosen.shape)
    return float(chosen[np.arange(trials), measured.argmax(axis=1)].mean())


@pytest.mark.parametrize(
    ("count", "known"),
    [(1, 0.0), (2, 1 / math.sqrt(math.pi)), (3, 1.5 / math.sqrt(math.pi)), (100, 2.507594), (1_000_000, 4.862898)],
)
def test_largest_of_normals(count: int, known: float) -> None:
    assert expected_maximum(count) == pytest.approx(known, abs=1e-6)


def test_picks_against_simulation() -> None:
    found = expected_picks([0.7, 0.7, -0.3], [12, 0, 5])
    assert found[0] == pytest.approx(simulated(0.7, 12, 1, 0.0), abs=0.02)
    assert np.isnan(found[1])
    assert found[2] == pytest.approx(-0.3 * expected_maximum(5))


@pytest.mark.parametrize(("count", "finalists", "noise"), [(30, 1, 0.5), (20, 5, 0.5), (4, 4, 0.2), (20, 3, 10.0)])
def test_finalists_against_simulation(count: int, finalists: int, noise: float) -> None:
    found = expected_finals([0.6], [count], finalists, [noise])[0]
    assert found == pytest.approx(simulated(0.6, count, finalists, noise), abs=0.06)


def test_too_few_for_the_finalists() -> None:
    assert np.isnan(expected_finals([0.6, 0.6], [2, 0], 3, [0.5, 0.5])).all()
    with pytest.raises(InputError, match="finalists '0': must be at least 1"):
        expected_finals([0.6], [2], 0, [0.5])
    with pytest.raises(InputError, match="count '0': must be at least 1"):
        expected_maximum(0)
