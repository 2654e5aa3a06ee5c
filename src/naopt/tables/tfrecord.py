"""TFRecord files and protocol buffers, read without TensorFlow.

A record is its length (8 bytes, little-endian), the masked CRC-32C of these, the data, and the masked CRC-32C of the
data. A message is a row of fields, each a tag (number and wire type) and a value.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from naopt.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_POLYNOMIAL = 0x82F63B78
_HEAD = struct.Struct("<QI")
_TAIL = struct.Struct("<I")
_LONGEST = 2**20
_TOGETHER = 2**23
"""Records are checked together until they fill so many bytes."""

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
"""Wire types of fields."""


def _crc(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ (_POLYNOMIAL if byte & 1 else 0)
    return byte


_TABLE = np.array([_crc(byte) for byte in range(256)], dtype=np.uint32)


def masked_crcs(records: list[bytes]) -> NDArray[np.uint32]:
    """The masked CRC-32C of each of ``n`` byte strings, ``(n,)``; byte by byte, for all strings at once."""
    lengths = np.array([len(record) for record in records], dtype=np.int64)
    order = np.argsort(-lengths, kind="stable")
    longest = int(lengths[order[0]]) if len(records) else 0
    padded = b"".join(records[index].ljust(longest, b"\0") for index in order.tolist())
    columns = np.ascontiguousarray(np.frombuffer(padded, dtype=np.uint8).reshape(len(records), longest).T)
    active = np.searchsorted(-lengths[order], -np.arange(longest), side="left").tolist()
    crc = np.full(len(records), 0xFFFFFFFF, dtype=np.uint32)
    for column, count in zip(columns, active, strict=True):
        part = crc[:count]
        crc[:count] = _TABLE[(part ^ column[:count]) & np.uint32(0xFF)] ^ part >> np.uint32(8)
    crc = ~crc
    masked = (crc >> np.uint32(15) | crc << np.uint32(17)) + np.uint32(0xA282EAD8)
    result = np.empty_like(masked)
    result[order] = masked
    return result


def read_records(path: Path) -> Iterator[bytes]:
    """The records of a file, streamed; both checksums of each are checked.

    Raises:
        InputError: the file cannot be read, is cut off, or a checksum does not match; says which record.
    """
    try:
        with path.open("rb") as file:
            count = 0
            while batch := _batch(path, file, count):
                yield from _checked(path, batch, count)
                count += len(batch)
    except OSError as error:
        raise InputError("records", str(path), error.strerror or "cannot be read") from error


_Record = tuple[bytes, int, bytes, int]
"""Length and its checksum, data and its checksum."""


def _batch(path: Path, file: BinaryIO, count: int) -> list[_Record]:
    batch: list[_Record] = []
    size = 0
    while size < _TOGETHER:
        head = file.read(_HEAD.size)
        if not head:
            break
        where = f"record {count + len(batch)}"
        if len(head) < _HEAD.size:
            raise _error(path, where, "is cut off")
        length, length_crc = _HEAD.unpack(head)
        if length > _LONGEST:
            raise _error(path, where, f"would hold {length} bytes, {_LONGEST} is the limit; is it a TFRecord file?")
        data, tail = file.read(length), file.read(_TAIL.size)
        if len(tail) < _TAIL.size:
            raise _error(path, where, "is cut off")
        batch.append((head[:8], length_crc, data, _TAIL.unpack(tail)[0]))
        size += length
    return batch


def _checked(path: Path, batch: list[_Record], count: int) -> Iterator[bytes]:
    records = [data for _, _, data, _ in batch]
    for what, found, expected in (
        (
            "length does not match; is it a TFRecord file?",
            masked_crcs([head for head, *_ in batch]),
            [r[1] for r in batch],
        ),
        ("data does not match; the file is damaged", masked_crcs(records), [record[3] for record in batch]),
    ):
        wrong = np.flatnonzero(found != np.array(expected, dtype=np.uint32))
        if len(wrong):
            raise _error(path, f"record {count + int(wrong[0])}", f"the checksum of its {what}")
    yield from records


def _error(path: Path, where: str, rule: str) -> InputError:
    return InputError(f"{where} of", str(path), rule)


def read_fields(message: bytes) -> Iterator[tuple[int, int | float | bytes]]:
    """The fields of a message: number, and an integer (varint), a float (64 bits), or bytes (anything else).

    Raises:
        ValueError: the message is cut off, or has a wire type that is not in use any more.
    """
    at, end = 0, len(message)
    while at < end:
        tag, at = _varint(message, at)
        kind = tag & 7
        value: int | float | bytes
        if kind == VARINT:
            value, at = _varint(message, at)
        elif kind in (FIXED64, FIXED32):
            width = 8 if kind == FIXED64 else 4
            if at + width > end:
                raise ValueError("the message is cut off")
            value = struct.unpack_from("<d", message, at)[0] if kind == FIXED64 else message[at : at + width]
            at += width
        elif kind == BYTES:
            width, at = _varint(message, at)
            if at + width > end:
                raise ValueError("the message is cut off")
            value, at = message[at : at + width], at + width
        else:
            raise ValueError(f"wire type {kind} is unknown")
        yield tag >> 3, value


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(message):
            raise ValueError("the message is cut off")
        byte = message[at]
        value |= (byte & 127) << shift
        at += 1
        if byte < 128:
            return value, at
        shift += 7
