"""Architectures of a space as groups of features, with columns that are the same in every search of the space."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from naopt.latent.features import POSITION, Features, one_hot
from naopt.spaces import Architecture, SearchSpace

if TYPE_CHECKING:
    from numpy.typing import NDArray

EVERY = ("tokens", "numbers", "paths", "sizes", "flow", "local")
"""Groups of features that kernels see, one each."""
POSITIONS = "positions"
"""Stands for the groups of single positions, which one kernel sees together."""

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
            positions, so they have no paths; what has paths has no single positions); if it has none of them, the
            one-hot ``tokens`` stand in.
    """
    every = features_of(space)(architectures)
    kept = {name: every[name] for name in groups if name in every}
    if POSITIONS in groups:
        kept |= {name: rows for name, rows in every.items() if name.startswith(POSITION)}
    return kept or {"tokens": every["tokens"]}


def as_written(space: SearchSpace, architectures: Sequence[Architecture]) -> list[NDArray[np.float64]]:
    """One-hot identities ``(n, columns)``, and how often each choice is there ``(n, choices)``.

    What can be measured may depend on what computes nothing: a cell of NAS-Bench-201 has the parameters of operations
    whose outputs nobody reads, which features of canonical forms do not see. Most limits are on a sum over the choices.
    """
    written = one_hot(space, [architecture.identity for architecture in architectures])
    names = [(position.choices, choice) for position in space.positions for choice in position.choices]
    place = {name: index for index, name in enumerate(dict.fromkeys(names))}
    adding = np.zeros((len(names), len(place)))
    adding[np.arange(len(names)), [place[name] for name in names]] = 1.0
    return [written, written @ adding]
