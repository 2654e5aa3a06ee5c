"""Paths of token sequences."""

from collections.abc import Iterable, Sequence

from naopt.networks.path import Path
from naopt.networks.supernet import SharedWeights


def path(shared: SharedWeights, tokens: Sequence[int]) -> Path:
    """The path of the architecture with these tokens."""
    return shared.path(shared.space.architecture(tokens))


def paths(shared: SharedWeights, found: Iterable[Sequence[int]]) -> list[Path]:
    """The paths of several."""
    return [path(shared, tokens) for tokens in found]
