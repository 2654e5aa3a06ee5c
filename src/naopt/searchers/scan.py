"""All architectures of a small space as candidates, with their features."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from naopt.latent.distances import squared_distances
from naopt.latent.encoding import encoded
from naopt.latent.features import together
from naopt.latent.threads import one_thread
from naopt.spaces import Architecture, SearchSpace, Tokens

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Predicted = tuple[NDArray[np.float64], ...]
    Model = Callable[[list[NDArray[np.float64]]], Predicted]
    NearModel = Callable[[list[NDArray[np.float64]], list[NDArray[np.float64]]], Predicted]

_CHUNK = 2048
_BLOCK = 2
_KEPT_BYTES = 2**27
_WITH_DISTANCES = 2
"""Scans that keep distances, the latest ones."""
_MOST = 200_000
"""Architectures of all scans that are kept."""


class Scan:
    """All distinct architectures of a small space, with features of each distinct canonical form.

    Attributes:
        architectures: in ascending order of their sequences.
        index: of each architecture.
        rows: ``(architectures,)`` row of ``groups`` that describes each.
        groups: of features, each ``(canonical forms, columns)``.
    """

    def __init__(self, space: SearchSpace, names: Sequence[str]) -> None:
        self.architectures = tuple(dict.fromkeys(space.enumerate()))
        self.index = {architecture: index for index, architecture in enumerate(self.architectures)}
        row_of: dict[Tokens, int] = {}
        first: list[Architecture] = []
        rows = []
        for architecture in self.architectures:
            tokens = space.canonical(architecture.tokens)
            if tokens not in row_of:
                row_of[tokens] = len(first)
                first.append(architecture)
            rows.append(row_of[tokens])
        self.rows = np.array(rows)
        chunks = [encoded(space, first[at : at + _CHUNK], names) for at in range(0, len(first), _CHUNK)]
        apart = together(chunks[0])
        self._near = apart.start if apart else len(chunks[0])
        self._kept: dict[int, list[NDArray[np.float64]]] = {}
        self.groups = [np.concatenate([_compact(part[name]) for part in chunks]) for name in chunks[0]]

    def predict(self, model: Model) -> Predicted:
        """What a model says of groups ``(n, columns)``, arrays ``(n,)``, for every architecture."""
        parts = [
            model([group[at : at + _CHUNK].astype(np.float64) for group in self.groups])
            for at in range(0, len(self.groups[0]), _CHUNK)
        ]
        return tuple(np.concatenate(columns)[self.rows] for columns in zip(*parts, strict=True))

    def predict_near(self, model: NearModel, told: Sequence[Architecture]) -> Predicted:
        """The same of a model of squared distances, for each group ``(told, n)``, and of groups of single positions.

        Distances to what was told once are kept, because a search tells little between two predictions; those of single
        positions would take as much room as there are of them.
        """
        squares = self._squares([int(self.rows[self.index[architecture]]) for architecture in told])
        parts = []
        for at in range(0, len(self.groups[0]), _CHUNK):
            some = slice(at, at + _CHUNK)
            rest = [group[some].astype(np.float64) for group in self.groups[self._near :]]
            parts.append(model([square[:, some] for square in squares], rest))
        return tuple(np.concatenate(columns)[self.rows] for columns in zip(*parts, strict=True))

    def predict_with(self, model: Model, chosen: NDArray[np.int64], beside: NDArray[np.float64]) -> Predicted:
        """What ``predict`` gives of some architectures, with a group more.

        Args:
            model: of the groups, each ``(n, columns)``.
            chosen: indices of architectures ``(m,)``.
            beside: the group more ``(m, columns)``; equal canonical forms may differ in it.
        """
        parts = []
        for at in range(0, len(chosen), _CHUNK):
            rows = self.rows[chosen[at : at + _CHUNK]]
            parts.append(model([*(group[rows].astype(np.float64) for group in self.groups), beside[at : at + _CHUNK]]))
        return tuple(np.concatenate(columns) for columns in zip(*parts, strict=True))

    def predict_beside(
        self,
        model: NearModel,
        told: Sequence[Architecture],
        chosen: NDArray[np.int64],
        beside: Sequence[NDArray[np.float64]],
    ) -> Predicted:
        """What ``predict_near`` gives of some architectures, with groups more.

        Args:
            model: of the squared distances, and of the groups more.
            told: what the model was told.
            chosen: indices of architectures ``(m,)``.
            beside: the groups more, each ``(m, columns)``.
        """
        squares = self._squares([int(self.rows[self.index[architecture]]) for architecture in told])
        parts = []
        for at in range(0, len(chosen), _CHUNK):
            rows = self.rows[chosen[at : at + _CHUNK]]
            rest = [group[rows].astype(np.float64) for group in self.groups[self._near :]]
            rest += [group[at : at + _CHUNK] for group in beside]
            parts.append(model([square[:, rows] for square in squares], rest))
        return tuple(np.concatenate(columns) for columns in zip(*parts, strict=True))

    def _squares(self, rows: Sequence[int]) -> list[NDArray[np.float64]]:
        """For each group ``(rows, canonical forms)``."""
        missing = [row for row in dict.fromkeys(rows) if row not in self._kept]
        found = {row: self._kept[row] for row in rows if row in self._kept}
        # Always so many in one product, so that the last bits do not depend on which are missing.
        for at in range(0, len(missing), _BLOCK):
            block = missing[at : at + _BLOCK]
            padded = block + [block[0]] * (_BLOCK - len(block))
            found |= dict(zip(block, self._apart(padded), strict=False))
        room = _KEPT_BYTES // (8 * self._near * len(self.groups[0]))
        every = self._kept | found
        self._kept = every if len(every) <= room else dict(list(found.items())[:room])
        return [np.stack([found[row][group] for row in rows]) for group in range(self._near)]

    def forget_distances(self) -> None:
        """Drops what is kept; it is computed again where it is needed, with the same bits."""
        self._kept = {}

    @one_thread()
    def _apart(self, rows: Sequence[int]) -> list[list[NDArray[np.float64]]]:
        """By row, for each group squared distances ``(canonical forms,)``."""
        every = []
        for group in self.groups[: self._near]:
            some = group[rows].astype(np.float64)
            parts = [
                squared_distances(some, group[at : at + _CHUNK].astype(np.float64))
                for at in range(0, len(group), _CHUNK)
            ]
            every.append(np.concatenate(parts, axis=1))
        return [[squares[at].copy() for squares in every] for at in range(len(rows))]

    def unseen(self, seen: Iterable[Architecture]) -> NDArray[np.int64]:
        """Indices of the architectures that are not among ``seen``."""
        left = np.ones(len(self.architectures), dtype=np.bool_)
        left[[self.index[architecture] for architecture in seen if architecture in self.index]] = False
        return np.flatnonzero(left)


_scans: dict[tuple[SearchSpace, tuple[str, ...]], Scan] = {}


def scan_of(space: SearchSpace, names: tuple[str, ...]) -> Scan:
    """The scan of a space, made once for all searches of it; the latest ones are kept."""
    key = space, names
    _scans[key] = scan = _scans.pop(key, None) or Scan(space, names)
    while len(_scans) > 1 and sum(len(kept.architectures) for kept in list(_scans.values())) > _MOST:
        _scans.pop(next(iter(_scans)), None)
    for older in list(_scans.values())[:-_WITH_DISTANCES]:
        older.forget_distances()
    return scan


def _compact(group: NDArray[np.float64]) -> NDArray[np.float32] | NDArray[np.uint8]:
    """Zeros and ones need one byte each."""
    small = group.astype(np.uint8)
    return small if (small == group).all() else group.astype(np.float32)
