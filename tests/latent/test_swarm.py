"""The competitive swarm against a plain loop over particles and coordinates."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from naopt.latent.swarm import CompetitiveSwarm, social_factor

Points = NDArray[np.floating[Any]]


def sphere(points: Points) -> NDArray[np.float64]:
    values: NDArray[np.float64] = -np.square(points, dtype=np.float64).reshape(len(points), -1).sum(axis=1)
    return values


def naive(start: Points, generations: int, phi: float, rng: np.random.Generator) -> tuple[Points, list[float]]:
    """One particle and one coordinate after the other, as the paper's Algorithm 1 writes it."""
    count, size = start.shape
    x, v = [list(map(float, row)) for row in start], [[0.0] * size for _ in range(count)]

    def fitness(row: list[float]) -> float:
        return -sum(value * value for value in row)

    half = count // 2
    for _ in range(generations):
        order = rng.permutation(count)
        draws = rng.random((3, half, size))
        mean = [sum(row[d] for row in x) / count for d in range(size)]
        for pair in range(half):
            first, second = order[pair], order[half + pair]
            winner, loser = (first, second) if fitness(x[first]) >= fitness(x[second]) else (second, first)
            for d in range(size):
                r1, r2, r3 = draws[:, pair, d]
                v[loser][d] = r1 * v[loser][d] + r2 * (x[winner][d] - x[loser][d]) + phi * r3 * (mean[d] - x[loser][d])
            x[loser] = [a + b for a, b in zip(x[loser], v[loser], strict=True)]
    return np.array(x), [fitness(row) for row in x]


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 9), st.integers(1, 4), st.integers(0, 6), st.sampled_from([None, 0.0, 0.3]), st.integers(0, 99))
def test_the_swarm_moves_as_the_plain_loop_does(
    count: int, size: int, generations: int, phi: float | None, seed: int
) -> None:
    start = np.random.default_rng(seed).normal(size=(count, size))
    before = start.copy()
    found = CompetitiveSwarm(generations, phi).maximise(start, sphere, np.random.default_rng(seed + 1))
    positions, fitness = naive(start, generations, phi or 0.0, np.random.default_rng(seed + 1))
    assert np.allclose(found.positions, positions)
    assert np.allclose(found.fitness, fitness)
    assert found.evaluations == count + generations * (count // 2)
    assert (start == before).all()


@pytest.mark.parametrize("phi", [0.0, 0.1])
def test_it_finds_the_top_of_the_sphere_function(phi: float) -> None:
    start = np.random.default_rng(0).uniform(-5, 5, size=(40, 3, 2))
    found = CompetitiveSwarm(300, phi).maximise(start, sphere, np.random.default_rng(1))
    assert found.positions.shape == (40, 3, 2)
    assert found.fitness.max() > -1e-3
    assert sphere(start).max() < -5


def test_the_fittest_particle_is_never_lost_and_impossible_points_lose() -> None:
    def fitness(points: Points) -> NDArray[np.float64]:
        return np.where(points[:, 0] > 0, -np.inf, sphere(points))

    start = np.random.default_rng(3).normal(size=(11, 2))
    best = fitness(start).max()
    for generations in range(8):
        found = CompetitiveSwarm(generations).maximise(start, fitness, np.random.default_rng(4))
        assert found.fitness.max() >= best
        assert (found.fitness == fitness(found.positions)).all()
        best = found.fitness.max()
    assert np.isfinite(found.fitness).sum() > np.isfinite(fitness(start)).sum()


def test_moved_points_are_projected_and_keep_their_type() -> None:
    def project(points: Points) -> Points:
        scaled: Points = points / np.linalg.norm(points, axis=-1, keepdims=True)
        return scaled

    start = np.random.default_rng(5).normal(size=(20, 4)).astype(np.float32) * 3
    asked: list[Points] = []

    def fitness(points: Points) -> NDArray[np.float64]:
        asked.append(points.copy())
        return points[:, 0].astype(np.float64)

    found = CompetitiveSwarm(20).maximise(start, fitness, np.random.default_rng(6), project)
    assert found.positions.dtype == np.float32
    for points in asked[1:]:
        assert np.linalg.norm(points, axis=1) == pytest.approx(1.0, abs=1e-5)


def test_social_factor_follows_the_papers_bounds() -> None:
    assert [social_factor(m) for m in (2, 50, 100)] == [0.0, 0.0, 0.0]
    assert social_factor(101) < 0.01
    for m in (200, 400, 500, 1000, 1500):
        assert max(0.0, 0.14 * math.log10(m) - 0.30) <= social_factor(m) <= 0.27 * math.log10(m) - 0.51
    assert social_factor(500) == pytest.approx(0.15, abs=0.005)


def test_one_particle_has_nobody_to_compete_with() -> None:
    with pytest.raises(ValueError, match="at least 2 particles, got 1"):
        CompetitiveSwarm(3).maximise(np.zeros((1, 2)), sphere, np.random.default_rng(0))
