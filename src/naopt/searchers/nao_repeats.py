"""Whether ``nao`` measures something new or something known once more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from naopt.searchers.base import Proposal
from naopt.spaces import Architecture

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from naopt.latent.embedding_model import EmbeddingModel

    Array = NDArray[np.float64]

_FLAT = 1e-12
_TWICE = 3
"""Architectures that are measured twice at the beginning where nothing states errors."""


def learned_first(
    counts: dict[Architecture, int], failed: dict[Architecture, int], seen: Sequence[Architecture]
) -> Architecture | None:
    """What to measure once more so that errors are known at all, of what was ``seen`` without a failure.

    Args:
        counts: how often each was measured or is to be.
        failed: how often that failed. So many failures are made up for, and no more.
        seen: first ones first.
    """
    if sum(counts[a] - failed[a] > 1 for a in counts) >= _TWICE or sum(n > 1 for n in counts.values()) >= 2 * _TWICE:
        return None
    return next((architecture for architecture in seen if counts[architecture] == 1), None)


def with_repeats(
    new: Sequence[Proposal], model: EmbeddingModel, architectures: Sequence[Architecture], scores: Array, once: Array,
    counts: dict[Architecture, int], most: int, pending: Sequence[Architecture], wanted: int,
) -> list[Proposal]:  # fmt: skip
    """The proposals that promise most, new ones and repeats of what was measured.

    A repeat is worth by how much it is expected to raise the best posterior mean ("knowledge gradient"; Frazier,
    Powell, Dayanik 2009, "The knowledge-gradient policy for correlated normal beliefs"), what it tells of others left
    out: with mean ``m``, variance ``v`` of what the architecture is worth, its own share included, and variance ``e``
    of one measurement's error the mean moves by a deviation ``v / sqrt(v + e)``. So what repeats would average out
    (``e``) and what belongs to the architecture (``v``) are kept apart. Something new is worth its expected improvement
    in full: it tells of its neighbours, too. (Taken less its error like a repeat, so that half of all queries are
    repeats, it cost 0.4 to 0.5 points of accuracy on NAS-Bench-201 with 90 images a query.)

    Args:
        new: best first.
        model: fitted to the following.
        architectures: n that were measured.
        scores: their means ``(n,)``, larger is better.
        once: standard errors of one measurement of each ``(n,)``.
        counts: how often each was measured or is to be.
        most: how often each may be.
        pending: what is not measured again now.
        wanted: how many.
    """
    mean, variance = model.own()
    moves = _moves(model, mean, variance, once)
    top = float(mean.max())
    others = np.full(len(mean), top)
    others[mean.argmax()] = np.partition(mean, -2)[-2] if len(mean) > 1 else top
    worth = _improvement(mean, moves, others) + others - top
    out = set(pending)
    for index, architecture in enumerate(architectures):
        if counts[architecture] >= most or architecture in out:
            worth[index] = -np.inf
    found = [(float(worth[i]), Proposal(architectures[i], "repeat", float(scores[i]), repeat=counts[architectures[i]]))
             for i in np.argsort(-worth, kind="stable")[:wanted] if np.isfinite(worth[i])]  # fmt: skip
    if new:
        points = model.encode([proposal.architecture for proposal in new])
        expected, deviation = model.moments(points)
        values = _improvement(expected, np.sqrt(deviation**2 + model.noise), np.full(len(new), top))
        found = [*zip(values.tolist(), new, strict=True), *found]
    return [proposal for _, proposal in sorted(found, key=lambda pair: -pair[0])[:wanted]]


def _moves(model: EmbeddingModel, mean: Array, variance: Array, once: Array) -> Array:
    """Deviation ``(n,)`` by which one more measurement moves means, in targets."""
    noise = model.targets.variances(model.targets.inverse(mean), once)
    variance = np.maximum(variance, 0.0)
    moved: Array = variance / np.sqrt(np.maximum(variance + noise, _FLAT))
    return moved


def _improvement(mean: Array, deviation: Array, over: Array) -> Array:
    """Expected excess ``(n,)`` of normal values over thresholds."""
    from scipy.special import ndtr

    z = (mean - over) / np.maximum(deviation, _FLAT)
    found: Array = (mean - over) * ndtr(z) + deviation * np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi)
    return found
