"""Architectures as rows of numbers, group by group: tokens, numeric choices, paths, sizes, neighbourhoods."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from naopt.latent.graph_features import GraphFeatures, graph_features
from naopt.spaces import Architecture, SearchSpace, Tokens

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MOST_COLUMNS = 1024
_LEAST_OFTEN = 2


def one_hot(space: SearchSpace, tokens: Sequence[Tokens] | NDArray[np.int64]) -> NDArray[np.float64]:
    """Token sequences ``(n, positions)`` as 0 and 1, ``(n, sum of the numbers of choices)``."""
    rows = np.asarray(tokens, dtype=np.int64).reshape(-1, len(space.positions))
    blocks = [np.eye(len(position.choices))[rows[:, index]] for index, position in enumerate(space.positions)]
    return np.concatenate(blocks, axis=1)


def numeric_choices(space: SearchSpace) -> dict[int, NDArray[np.float64]]:
    """Positions all of whose choices are numbers, and the choices' ranks there from 0 to 1; at least 3 choices."""
    found: dict[int, NDArray[np.float64]] = {}
    for index, position in enumerate(space.positions):
        try:
            values = np.array([float(choice) for choice in position.choices])
        except ValueError:
            continue
        if len(values) > 2 and np.isfinite(values).all() and len(set(values)) == len(values):
            found[index] = values.argsort().argsort() / (len(values) - 1)
    return found


class Features:
    """Groups of numbers that describe the architectures of a space, each ``(n, columns)``.

    ``tokens``: the canonical form, one-hot. ``numbers``: ranks of choices that are numbers, as generic spaces have them
    (widths, rates); in a cell the choice of an input is a name. ``paths``, ``sizes``, ``local``: see ``GraphFeatures``;
    0 or 1, standardised, and logarithms of one plus the count. Groups without columns are left out.

    Args:
        space: of the architectures.
        sample: architectures of the space, whose names become columns and whose mean and deviation standardise the
            sizes; names that occur once, and all but the 1,024 most frequent of a group, are left out.
    """

    def __init__(self, space: SearchSpace, sample: Sequence[Architecture]) -> None:
        self.space = space
        self._cache: dict[Tokens, GraphFeatures] = {}
        self._numbers = {} if space.tokens_per_step > 1 else numeric_choices(space)
        graphs = [self._graph(tokens) for tokens in self.canonical(sample)]
        self._paths = _columns([graph.paths for graph in graphs])
        self._sizes = _columns([graph.sizes for graph in graphs])
        self._local = _columns([graph.local for graph in graphs])
        sizes = _matrix([graph.sizes for graph in graphs], self._sizes)
        self._centre, deviation = sizes.mean(axis=0), sizes.std(axis=0)
        self._deviation = np.where(deviation > 0, deviation, 1.0)

    def canonical(self, architectures: Sequence[Architecture]) -> list[Tokens]:
        """Canonical tokens of each."""
        return [self.space.canonical(architecture.tokens) for architecture in architectures]

    def __call__(self, architectures: Sequence[Architecture]) -> dict[str, NDArray[np.float64]]:
        """The groups of ``n >= 1`` architectures."""
        tokens = self.canonical(architectures)
        graphs = [self._graph(row) for row in tokens]
        groups = {"tokens": one_hot(self.space, tokens)}
        if self._numbers:
            rows = np.asarray(tokens)
            groups["numbers"] = np.stack([ranks[rows[:, index]] for index, ranks in self._numbers.items()], axis=1)
        if self._paths:
            groups["paths"] = (_matrix([graph.paths for graph in graphs], self._paths) > 0).astype(np.float64)
        if self._sizes:
            sizes = _matrix([graph.sizes for graph in graphs], self._sizes)
            groups["sizes"] = (sizes - self._centre) / self._deviation
        if self._local:
            groups["local"] = np.log1p(_matrix([graph.local for graph in graphs], self._local))
        return groups

    def forget(self) -> None:
        """Drops what is remembered of single architectures, which for hundreds of thousands would fill the memory."""
        self._cache.clear()

    def _graph(self, tokens: Tokens) -> GraphFeatures:
        if tokens not in self._cache:
            graph = self.space.graph(self.space.architecture(tokens))
            self._cache[tokens] = graph_features(graph, self.space.skips)
        return self._cache[tokens]


def _columns(counts: Sequence[Mapping[str, float]]) -> dict[str, int]:
    often = Counter(name for row in counts for name in row)
    names = [name for name, count in often.items() if count >= _LEAST_OFTEN]
    names.sort(key=lambda name: (-often[name], name))
    return {name: index for index, name in enumerate(names[:_MOST_COLUMNS])}


def _matrix(counts: Sequence[Mapping[str, float]], columns: Mapping[str, int]) -> NDArray[np.float64]:
    matrix = np.zeros((len(counts), len(columns)))
    for row, found in enumerate(counts):
        for name, value in found.items():
            if (column := columns.get(name)) is not None:
                matrix[row, column] = value
    return matrix
