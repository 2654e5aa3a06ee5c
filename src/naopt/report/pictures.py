"""Images inside a page."""

from __future__ import annotations

import struct
import zlib
from base64 import b64encode


def png(pixels: bytes, channels: int, height: int, width: int) -> bytes:
    """A PNG file (W3C 2003) of 8 bits.

    Args:
        pixels: channel by channel, each row by row.
        channels: 1 for grey, 3 for colour.
        height: rows.
        width: columns.
    """
    size, rows = height * width, []
    for row in range(0, size, width):
        planes = [pixels[channel * size + row : channel * size + row + width] for channel in range(channels)]
        rows.append(b"\0" + bytes(level for pixel in zip(*planes, strict=True) for level in pixel))
    header = struct.pack(">2I5B", width, height, 8, 2 if channels == 3 else 0, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(b"".join(rows), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in parts
    )


def data_uri(file: bytes) -> str:
    """A PNG file as an address that needs no other file."""
    return f"data:image/png;base64,{b64encode(file).decode('ascii')}"
