"""Token rows as bytes: found and sorted fast, whatever the number of rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from naopt.spaces.position import Position

if TYPE_CHECKING:
    from numpy.typing import NDArray


def token_type(positions: Sequence[Position]) -> np.dtype[np.unsignedinteger]:
    """The smallest unsigned type that holds every token; big-endian, so that bytes sort as tokens do."""
    widest = max(len(position.choices) for position in positions) - 1
    return np.dtype(np.min_scalar_type(widest)).newbyteorder(">")


class RowIndex:
    """Which row holds a token sequence; the first one, if several do.

    Args:
        rows: ``(n, positions)`` tokens in range.
        positions: what they are tokens of.
    """

    def __init__(self, rows: NDArray[np.integer], positions: Sequence[Position]) -> None:
        self._type = token_type(positions)
        self._row = {key: len(rows) - 1 - back for back, key in enumerate(reversed(self._keys(rows)))}
        self._count = len(rows)

    def _keys(self, rows: NDArray[np.integer]) -> list[bytes]:
        packed = rows.astype(self._type).tobytes()
        width = rows.shape[1] * self._type.itemsize
        return [packed[start : start + width] for start in range(0, len(packed), width)]

    def get(self, tokens: Sequence[int]) -> int | None:
        """The row of a sequence whose tokens are in range; ``None`` if there is none."""
        key = bytes(tokens) if self._type.itemsize == 1 else np.array(tokens, dtype=self._type).tobytes()
        return self._row.get(key)

    def repeated(self, rows: NDArray[np.integer]) -> tuple[int, int] | None:
        """The first of the indexed rows that stands twice, and where it stood before; ``None`` if all differ."""
        if len(self._row) == self._count:
            return None
        return next((row, self._row[key]) for row, key in enumerate(self._keys(rows)) if self._row[key] != row)


class PrefixIndex:
    """Which tokens follow a prefix in a sorted list of sequences.

    Args:
        rows: ``(n, positions)`` tokens in range, sorted and distinct.
        positions: what they are tokens of.
    """

    def __init__(self, rows: NDArray[np.integer], positions: Sequence[Position]) -> None:
        self._rows = np.ascontiguousarray(rows, dtype=token_type(positions))
        self._choices = [len(position.choices) for position in positions]
        self._sorted = _as_text(self._rows)

    def follows(self, prefixes: NDArray[np.int64]) -> NDArray[np.bool_]:
        """``(n, c)``: with which of the ``c`` choices at position ``t`` some row goes on after ``(n, t)`` prefixes."""
        count, length = prefixes.shape
        choices = self._choices[length]
        wanted = np.zeros((count, choices, self._rows.shape[1]), dtype=self._rows.dtype)
        wanted[:, :, :length] = prefixes[:, None]
        wanted[:, :, length] = np.arange(choices)
        wanted = wanted.reshape(count * choices, self._rows.shape[1])
        at = np.minimum(np.searchsorted(self._sorted, _as_text(wanted)), len(self._rows) - 1)
        same = self._rows[at, : length + 1] == wanted[:, : length + 1]
        return np.asarray(same.all(axis=1)).reshape(count, choices)


def sorted_rows(rows: NDArray[np.int64], positions: Sequence[Position]) -> NDArray[np.int64]:
    """The distinct rows in ascending order."""
    packed = np.ascontiguousarray(rows, dtype=token_type(positions))
    _, first = np.unique(_as_text(packed), return_index=True)
    return rows[first]


def _as_text(packed: NDArray[np.unsignedinteger]) -> NDArray[np.bytes_]:
    """Rows as byte strings. NumPy drops zeros at their end, which changes neither equality nor order here."""
    return packed.view(f"S{packed.shape[1] * packed.itemsize}")[:, 0]
