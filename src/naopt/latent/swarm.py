"""The competitive swarm optimiser (Cheng & Jin 2015, IEEE Trans. Cybernetics 45(2), 191-204); points of any shape."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FEWEST = 2
_SMALL_SWARM = 100


def social_factor(particles: int) -> float:
    """The paper's phi for a swarm of ``m`` particles: 0 up to 100, beyond between a lower and an upper bound.

    The bounds for functions that do not separate are ``0.14 log m - 0.30`` and ``0.27 log m - 0.51``; we take their
    middle, and logarithms to base ten, with which the bounds meet 0 at ``m = 100`` and hold the 0.15 that is in use
    for ``m = 500``.
    """
    if particles <= _SMALL_SWARM:
        return 0.0
    size = math.log10(particles)
    low, high = 0.14 * size - 0.30, 0.27 * size - 0.51
    return max(0.0, (low + high) / 2)


@dataclass(frozen=True)
class Swarm:
    """A swarm after its last generation.

    Attributes:
        positions: ``(m, *shape)``.
        fitness: ``(m,)`` of these positions.
        evaluations: points whose fitness was asked for.
    """

    positions: NDArray[np.floating[Any]]
    fitness: NDArray[np.float64]
    evaluations: int


@dataclass(frozen=True)
class CompetitiveSwarm:
    """Maximises a fitness with a swarm that remembers neither personal nor global bests.

    Each generation pairs all particles at random. Of a pair the fitter stays as it is; the other learns from it:

        V <- R1 V + R2 (X_winner - X) + phi R3 (X_mean - X),   X <- X + V,

    with ``R1, R2, R3`` uniform in [0, 1) for every coordinate, ``X_mean`` the mean position of the swarm before the
    generation, and velocities that start at 0. So ``m // 2`` points are evaluated a generation, and the fittest
    particle is never lost. With an odd number one particle, drawn anew each time, sits out; equally fit, the first
    drawn wins.

    Attributes:
        generations: how often all particles compete, >= 0.
        phi: weight of the mean position; ``social_factor`` of the swarm if ``None``.
    """

    generations: int
    phi: float | None = None

    def maximise(
        self,
        positions: NDArray[np.floating[Any]],
        fitness: Callable[[NDArray[np.floating[Any]]], NDArray[np.float64]],
        rng: np.random.Generator,
        project: Callable[[NDArray[np.floating[Any]]], NDArray[np.floating[Any]]] | None = None,
    ) -> Swarm:
        """Runs all generations.

        Args:
            positions: where the particles start, ``(m, *shape)``, ``m >= 2``; kept as they are, ``project`` or not.
            fitness: of points ``(n, *shape)``, ``(n,)``, larger is better; may be ``-inf``, not NaN.
            rng: of the pairs and of ``R1``, ``R2``, ``R3``.
            project: maps points that moved back to where particles may be.

        Raises:
            ValueError: fewer than two particles.
        """
        count = len(positions)
        if count < _FEWEST:
            raise ValueError(f"a swarm needs at least {_FEWEST} particles, got {count}")
        phi = social_factor(count) if self.phi is None else self.phi
        positions = positions.copy()
        velocities = np.zeros_like(positions)
        values = np.array(fitness(positions), dtype=np.float64)
        half = count // 2
        for _ in range(self.generations):
            order = rng.permutation(count)
            first, second = order[:half], order[half : 2 * half]
            wins = values[first] >= values[second]
            winners, losers = np.where(wins, first, second), np.where(wins, second, first)
            inertia, learning, social = rng.random((3, half, *positions.shape[1:])).astype(positions.dtype)
            here = positions[losers]
            velocities[losers] = (
                inertia * velocities[losers]
                + learning * (positions[winners] - here)
                + phi * social * (positions.mean(axis=0) - here)
            )
            moved = here + velocities[losers]
            positions[losers] = moved if project is None else project(moved)
            values[losers] = fitness(positions[losers])
        return Swarm(positions, values, count + self.generations * half)
