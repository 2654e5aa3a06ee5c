"""The encoder of the default latent model: architectures to points of a continuous space, learned without a label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from naopt.latent.features import POSITION, Features, together
from naopt.latent.layout import row_major
from naopt.latent.threads import one_thread
from naopt.spaces import Architecture, SearchSpace, Tokens

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

_KEPT = 0.999
"""Share of a group's variance that its components keep; the tokens' keep all, so that they can be decoded."""
_MOST_COMPONENTS = 256
_NOTHING = 1e-9
_MOST_KEPT = 50_000
_ROWS = 32


class Embedding:
    """Principal components of the groups of features, side by side.

    A point has one block for each group of ``Features``: its tokens, what it computes (paths, neighbourhoods), its
    sizes; without a graph single positions. Each block is centred and scaled to a total variance of 1 among unlabelled
    architectures of the space (those of single positions together), so distances in it are those of the features.
    Equal canonical forms share one point.

    Unlike the LSTM of the paper (``LatentModel``) this encoder needs no training with labels, and none but an
    eigenvalue problem without; see docs/searchers/nao.md for what that is worth.

    Args:
        space: of the architectures.
        names: names of features, and the blocks with their sizes; from ``learn``.
        arrays: means, deviations and components of the features; from ``learn``.

    Attributes:
        blocks: where in a point each group stands, by name.
        spread: standard deviation of each coordinate among unlabelled architectures ``(dimensions,)``, all positive.
        dimensions: coordinates of a point.
    """

    def __init__(self, space: SearchSpace, names: Mapping[str, list[str]], arrays: Mapping[str, Array]) -> None:
        self.space, self.names = space, names
        self.arrays = arrays = {name: row_major(array) for name, array in arrays.items()}
        columns = {group: names[group] for group in ("paths", "sizes", "local")}
        self.features = Features(space, columns, arrays["centre"], arrays["deviation"])
        self.blocks: dict[str, slice] = {}
        at = 0
        for name in names["blocks"]:
            self.blocks[name] = slice(at, at := at + arrays[f"components/{name}"].shape[1])
        self.dimensions = at
        self.spread = arrays["spread"]
        self._points: dict[Tokens, Array] = {}

    @classmethod
    @one_thread()
    def learn(cls, space: SearchSpace, sample: Sequence[Architecture]) -> Embedding:
        """From unlabelled architectures of the space, at least 1; they cost no query."""
        features = Features.learn(space, sample)
        arrays: dict[str, Array] = {"centre": features.centre, "deviation": features.deviation}
        blocks = []
        for name, rows in features(sample).items():
            components = _principal(rows, keep_all=name == "tokens")
            if name.startswith(POSITION):
                components /= np.sqrt(len(space.positions))
            if components.shape[1]:
                blocks.append(name)
                arrays |= {f"mean/{name}": rows.mean(axis=0), f"components/{name}": components}
        names = {**{group: list(columns) for group, columns in features.columns.items()}, "blocks": blocks}
        plain = cls(space, names, arrays | {"spread": np.empty(0)})
        return cls(space, names, arrays | {"spread": plain.encode(sample).std(axis=0)})

    @one_thread()
    def encode(self, architectures: Sequence[Architecture]) -> Array:
        """Points ``(n, dimensions)``."""
        if not architectures:
            return np.zeros((0, self.dimensions))
        if len(self._points) >= _MOST_KEPT:
            self._points.clear()
        missing = [a for a in architectures if a.tokens not in self._points]
        if missing:
            tokens = self.features.canonical(missing)
            new = {row: a for row, a in zip(tokens, missing, strict=True) if row not in self._points}
            if new:
                self._points |= zip(new, self._project(self.features(list(new.values()))), strict=True)
            self._points |= {a.tokens: self._points[row] for a, row in zip(missing, tokens, strict=True)}
        return np.stack([self._points[a.tokens] for a in architectures])

    @property
    def together(self) -> range:
        """Which of the blocks share a kernel: single positions."""
        return together(self.blocks)

    def split(self, points: Array) -> list[Array]:
        """The blocks of points ``(n, dimensions)``, each ``(n, columns)``; at least one, be it without a column."""
        return [points[:, block] for block in self.blocks.values()] or [points]

    def _project(self, groups: Mapping[str, Array]) -> Array:
        parts = [
            product(groups[name] - self.arrays[f"mean/{name}"], self.arrays[f"components/{name}"])
            for name in self.names["blocks"]
        ]
        return np.concatenate(parts, axis=1) if parts else np.zeros((len(groups["tokens"]), 0))


def product(rows: Array, matrix: Array) -> Array:
    """``rows @ matrix``, where no row's last bits depend on the others: always so many rows in one product.

    A search that is resumed encodes in other batches, and has to come to the same points.
    """
    padded = np.zeros((-(-len(rows) // _ROWS) * _ROWS, rows.shape[1]))
    padded[: len(rows)] = rows
    parts = [padded[at : at + _ROWS] @ matrix for at in range(0, len(padded), _ROWS)]
    return np.concatenate(parts)[: len(rows)]


def _principal(rows: Array, keep_all: bool) -> Array:
    """Directions ``(columns, kept)``, scaled so that the projected rows' variances sum to 1."""
    centred = row_major(rows - rows.mean(axis=0))
    values, vectors = np.linalg.eigh(centred.T @ centred / len(rows))
    values, vectors = values[::-1], vectors[:, ::-1]
    total = values.clip(min=0).sum()
    if total < _NOTHING:
        return np.zeros((rows.shape[1], 0))
    kept = values > _NOTHING * total
    if not keep_all:
        kept &= np.r_[True, np.cumsum(values)[:-1] < _KEPT * total]
        kept[_MOST_COMPONENTS:] = False
    components: Array = vectors[:, kept] / np.sqrt(values[kept].sum())
    return components
