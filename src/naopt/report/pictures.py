"""Images inside a page."""

from __future__ import annotations

from base64 import b64encode
from io import BytesIO


def png(pixels: bytes, channels: int, height: int, width: int) -> bytes:
    """A PNG file of 8 bits.

    Args:
        pixels: channel by channel, each row by row.
        channels: 1 for grey, 3 for colour.
        height: rows.
        width: columns.
    """
    from PIL import Image

    size, file = height * width, BytesIO()
    starts = range(0, len(pixels), size)
    planes = [Image.frombytes("L", (width, height), pixels[start : start + size]) for start in starts]
    (planes[0] if channels == 1 else Image.merge("RGB", planes)).save(file, "PNG", optimize=True)
    return file.getvalue()


def data_uri(file: bytes) -> str:
    """A PNG file as an address that needs no other file."""
    return f"data:image/png;base64,{b64encode(file).decode('ascii')}"
