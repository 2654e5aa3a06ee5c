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

    Array = NDArray[np.float64]

_MOST_KEPT = 50_000
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
        columns: names of the columns of ``paths``, ``sizes`` and ``local``; other names are left out.
        centre: mean of the sizes, by column.
        deviation: positive; their standard deviation.
    """

    def __init__(
        self, space: SearchSpace, columns: Mapping[str, Sequence[str]], centre: Array, deviation: Array
    ) -> None:
        self.space, self.columns, self.centre, self.deviation = space, columns, centre, deviation
        self._at = {group: {name: index for index, name in enumerate(names)} for group, names in columns.items()}
        self._numbers = {} if space.tokens_per_step > 1 else numeric_choices(space)
        self._graphs: dict[Tokens, GraphFeatures] = {}

    @classmethod
    def learn(cls, space: SearchSpace, sample: Sequence[Architecture]) -> Features:
        """Columns, mean and deviation from unlabelled architectures.

        Names that occur once, and all but the 1,024 most frequent of a group, get no column.
        """
        graphs = [graph_features(space.graph(_presented(space, a)), space.skips) for a in sample]
        columns = {
            "paths": _frequent([graph.paths for graph in graphs]),
            "sizes": _frequent([graph.sizes for graph in graphs]),
            "local": _frequent([graph.local for graph in graphs]),
        }
        count = len(columns["sizes"])
        plain = cls(space, columns, np.zeros(count), np.ones(count))
        sizes = plain(sample)["sizes"] if count else np.zeros((1, 0))
        deviation = sizes.std(axis=0)
        return cls(space, columns, sizes.mean(axis=0), np.where(deviation > 0, deviation, 1.0))

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
        if self._at["paths"]:
            groups["paths"] = (_matrix([graph.paths for graph in graphs], self._at["paths"]) > 0).astype(np.float64)
        if self._at["sizes"]:
            sizes = _matrix([graph.sizes for graph in graphs], self._at["sizes"])
            groups["sizes"] = (sizes - self.centre) / self.deviation
        if self._at["local"]:
            groups["local"] = np.log1p(_matrix([graph.local for graph in graphs], self._at["local"]))
        return groups

    def _graph(self, tokens: Tokens) -> GraphFeatures:
        if tokens not in self._graphs:
            if len(self._graphs) >= _MOST_KEPT:
                self._graphs.clear()
            graph = self.space.graph(self.space.architecture(tokens))
            self._graphs[tokens] = graph_features(graph, self.space.skips)
        return self._graphs[tokens]


def _presented(space: SearchSpace, architecture: Architecture) -> Architecture:
    return space.architecture(space.canonical(architecture.tokens))


def _frequent(counts: Sequence[Mapping[str, float]]) -> list[str]:
    often = Counter(name for row in counts for name in row)
    names = [name for name, count in often.items() if count >= _LEAST_OFTEN]
    names.sort(key=lambda name: (-often[name], name))
    return names[:_MOST_COLUMNS]


def _matrix(counts: Sequence[Mapping[str, float]], columns: Mapping[str, int]) -> NDArray[np.float64]:
    matrix = np.zeros((len(counts), len(columns)))
    for row, found in enumerate(counts):
        for name, value in found.items():
            if (column := columns.get(name)) is not None:
                matrix[row, column] = value
    return matrix
