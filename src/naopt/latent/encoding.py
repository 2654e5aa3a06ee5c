"""Architectures of a space as groups of features, with columns that are the same in every search of the space."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from naopt.latent.features import Features
from naopt.spaces import Architecture, SearchSpace

if TYPE_CHECKING:
    from numpy.typing import NDArray

EVERY = ("tokens", "numbers", "paths", "sizes", "flow", "local")
"""The groups of features that ``nao`` embeds."""

_SAMPLE = 1000
_SPACES = 8


@lru_cache(maxsize=_SPACES)
def features_of(space: SearchSpace) -> Features:
    """Features of a space; the columns are those of 1,000 random architectures, always the same ones."""
    rng = np.random.default_rng(0)
    return Features.learn(space, [space.sample(rng) for _ in range(_SAMPLE)])


def encoded(
    space: SearchSpace, architectures: Sequence[Architecture], groups: Sequence[str]
) -> dict[str, NDArray[np.float64]]:
    """Groups of features of ``n >= 1`` architectures by name, each ``(n, columns)``.

    Args:
        space: of the architectures.
        architectures: n of them.
        groups: names of ``Features``. Those that the space does not have are left out (nothing flows through generic
            positions, so they have no paths); if it has none of them, the one-hot ``tokens`` stand in.
    """
    every = features_of(space)(architectures)
    return {name: every[name] for name in groups if name in every} or {"tokens": every["tokens"]}
