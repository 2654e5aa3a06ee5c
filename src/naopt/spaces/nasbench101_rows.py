"""Many cells of NAS-Bench-101 at once: tokens, keys and canonical order as arrays (see ``nasbench101_cells``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from naopt.spaces.nasbench101_cells import EDGES, INNER, KINDS, LENGTH, OFFSETS, OUTPUT, bit, column_tokens

if TYPE_CHECKING:
    from numpy.typing import NDArray

_TO_KEYS = np.zeros((LENGTH, OUTPUT), dtype=np.float32)
for _index, _start in enumerate(OFFSETS):
    _TO_KEYS[_start : _start + _index + 1, _index] = [bit(u) << 2 for u in range(_index + 1)]
    _TO_KEYS[_start + _index + 1, _index] = 1
_LIMITS = np.ones(LENGTH, dtype=np.int64)
for _index, _start in enumerate(OFFSETS):
    _LIMITS[_start + _index + 1] = KINDS if _index < INNER else 0
_TABLES = tuple(
    np.array([column_tokens(column, key) for key in range(256)], dtype=np.uint8) for column in range(1, OUTPUT + 1)
)
_BITS = np.array([(key >> 2).bit_count() for key in range(256)], dtype=np.uint8)


def key_rows(tokens: NDArray[np.integer]) -> NDArray[np.uint8]:
    """``(n, 6)`` keys of ``(n, 27)`` tokens that are in range."""
    keys: NDArray[np.uint8] = (tokens.astype(np.float32) @ _TO_KEYS).astype(np.uint8)
    return keys


def token_rows(keys: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """``(n, 27)`` tokens of ``(n, 6)`` keys."""
    return np.concatenate([table[keys[:, index]] for index, table in enumerate(_TABLES)], axis=1)


def valid_token_rows(tokens: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Which rows of ``(n, 27)`` tokens are valid; the rules of ``valid_keys``, and tokens in range."""
    valid = np.asarray(((tokens >= 0) & (tokens <= _LIMITS)).all(axis=1))
    keys = key_rows(np.where(valid[:, None], tokens, 0))
    codes = keys >> 2
    present = codes[:, :INNER] != 0
    valid &= (present == ((keys[:, :INNER] & 3) != 0)).all(axis=1)
    valid &= (present[:, :-1] >= present[:, 1:]).all(axis=1)
    valid &= _BITS[keys].sum(axis=1) <= EDGES
    last = present.sum(axis=1)
    everyone = 63 & ~((1 << (INNER - last)) - 1)
    return np.asarray(valid & (np.bitwise_or.reduce(codes, axis=1) == everyone))


def canonical_key_rows(keys: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """What ``canonical_tokens`` does, for many cells at once.

    All rows grow their smallest numbering column by column; where several vertices tie for the next one, the row
    goes on once for each, and the smallest of its ends wins.

    Args:
        keys: ``(n, 6)`` keys of valid cells.

    Returns:
        ``(n, 6)`` keys in canonical order.
    """
    masks, kinds = keys >> 2, keys[:, :INNER] & 3
    row = np.arange(len(keys))
    codes = masks & np.uint8(bit(0))
    missing = masks & np.uint8(~bit(0) & 63)
    placed = np.zeros((len(keys), INNER), dtype=np.bool_)
    found = np.zeros((len(keys), OUTPUT), dtype=np.uint8)
    for slot in range(1, OUTPUT):
        key = (codes[:, :INNER].astype(np.int16) << 2) | kinds
        key[kinds == 0] = 256
        key[placed | (missing[:, :INNER] != 0)] = 512
        least = key.min(axis=1)
        key[least == 256, :] = 512
        key[least == 256, slot - 1] = 256  # absent vertices are alike: any one will do
        ways, vertex = np.nonzero(key == least[:, None])
        if len(ways) > len(row):
            row, placed, found, least = row[ways], placed[ways], found[ways], least[ways]
            masks, kinds, codes, missing = masks[ways], kinds[ways], codes[ways], missing[ways]
        found[:, slot - 1] = np.where(least < 256, least, 0)
        shift = (INNER - 1 - vertex).astype(np.uint8)[:, None]
        fed = masks >> shift & np.uint8(1)
        codes = codes | fed << np.uint8(INNER - slot)
        missing = missing & ~(fed << shift)
        placed[np.arange(len(row)), vertex] = True
    found[:, INNER] = codes[:, INNER] << 2
    if len(row) == len(keys):
        return found
    whole = np.zeros((len(row), 8), dtype=np.uint8)
    whole[:, 2:] = found
    starts = np.flatnonzero(np.diff(row, prepend=-1))
    best = np.minimum.reduceat(whole.view(">u8")[:, 0].astype(np.uint64), starts)
    return best.astype(">u8").view(np.uint8).reshape(-1, 8)[:, 2:].copy()
