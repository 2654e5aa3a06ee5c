"""From an image file to pixels: the one place that knows modes, transparency, orientation and depth."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError

from naopt.errors import InputError
from naopt.tasks.options import Alpha

Mode = Literal["L", "RGB"]
Size = tuple[int, int]
"""Width and height, in pixels."""

_GREY = frozenset({"1", "L", "LA", "La", "I", "F"})
_LAYERED = frozenset({"LA", "La", "PA", "RGBA", "RGBa"})
_BACKGROUNDS = {"white": 255, "grey": 128, "black": 0}
_STILL = frozenset({"MPO", "PSD"})
"""Formats whose further pictures are previews or layers of the first."""
_LATE_EXIF = (b"eXIf", b"Raw profile type exif", b"tiff:Orientation")
"""What announces a PNG's orientation, which may stand after the pixels."""
_TURNS = (
    Image.Transpose.FLIP_LEFT_RIGHT,
    Image.Transpose.ROTATE_180,
    Image.Transpose.FLIP_TOP_BOTTOM,
    Image.Transpose.TRANSPOSE,
    Image.Transpose.ROTATE_270,
    Image.Transpose.TRANSVERSE,
    Image.Transpose.ROTATE_90,
)
"""What sets an image upright, by orientation, from 2 on."""
_NO_IMAGES = frozenset({"BUFR", "EPS", "GRIB", "HDF5", "MPEG", "PDF", "WMF"})
"""Formats that Pillow knows and cannot decode, or only with another program's help."""
_DAMAGE = (
    OSError, ValueError, SyntaxError, RuntimeError, EOFError, OverflowError, struct.error, Image.DecompressionBombError
)  # fmt: skip
"""What Pillow's readers raise."""
_BITS, _PHOTOMETRIC, _SAMPLES, _SIGNED = 258, 262, 339, 2
"""Of TIFF: tags of the bits of a sample, of what 0 means and of a sample's kind, and a kind."""
_TWICE = 2
"""How much larger than wanted a JPEG is decoded at least before it is resized, so that the result is as good."""


@cache
def suffixes() -> frozenset[str]:
    """Ends of the names of image files that can be read, in small letters, with the dot."""
    known = Image.registered_extensions()
    return frozenset(suffix for suffix, kind in known.items() if kind in Image.OPEN and kind not in _NO_IMAGES)


class Picture:
    """One image that is not decoded yet.

    Args:
        image: as Pillow opened it.
        alpha: what it is put on if it is transparent.
        late: its orientation may stand after the pixels.

    Attributes:
        traits: what was found special, and dealt with: ``several`` (pictures in one file, of which the first is taken),
            and when it is decoded ``turned``, ``transparent`` and ``deep`` (more than 8 bits).
    """

    def __init__(self, image: Image.Image, alpha: Alpha = "white", *, late: bool = False) -> None:
        self._image, self._alpha = image, alpha
        self.traits: set[str] = set()
        if image.format == "PNG" and not late:
            self._orientation = 1
        else:
            self._orientation = _orientation(image)
        if self._orientation != 1 and image.format == "TIFF":
            image.load()  # which turns it in some versions of Pillow
            self._orientation = _orientation(image)
            self.traits.add("turned")

    @property
    def grey(self) -> bool:
        """Whether it has no colours."""
        return self._image.mode in _GREY or self._image.mode.startswith("I;16")

    @property
    def size(self) -> Size:
        """Width and height, as it is to be seen."""
        return self._image.size[::-1] if self._swapped else self._image.size

    @property
    def _swapped(self) -> bool:
        return self._orientation > 4  # the four that lie on their sides

    @property
    def several(self) -> bool:
        """Whether the file holds more pictures than the one that is taken, the first."""
        return self._image.format not in _STILL and bool(getattr(self._image, "is_animated", False))

    def draft(self, across: float, down: float) -> None:
        """Lets a JPEG be decoded at 1/2, 1/4 or 1/8 of its size, if that is at least this many pixels."""
        size = (int(np.ceil(across)), int(np.ceil(down)))
        self._image.draft(None, size[::-1] if self._swapped else size)

    def decode(self, mode: Mode = "RGB") -> Image.Image:
        """Its pixels: 8 bits, turned as it is to be seen, on the background.

        Raises:
            ValueError: values that cannot be scaled to 8 bits.
            OSError: it is damaged.
        """
        image = self._image
        image.load()
        if self._orientation != 1:
            image = image.transpose(_TURNS[self._orientation - 2])
            self.traits.add("turned")
        if image.mode in ("I", "F") or image.mode.startswith("I;16"):
            image = self._scaled(image)
        if image.mode == "LAB":
            image = _from_lab(image)
        if image.mode in _LAYERED or "transparency" in image.info:
            return self._composed(image, mode)
        return image if image.mode == mode else image.convert(mode)

    def pixels(self, size: Size, mode: Mode) -> NDArray[np.uint8]:
        """``(channels, height, width)`` at the given size; bilinear, averaging where it shrinks."""
        self.draft(_TWICE * size[0], _TWICE * size[1])
        image = self.decode(mode)
        if image.size != size:
            image = image.resize(size, Image.Resampling.BILINEAR)
        array = np.asarray(image, dtype=np.uint8)
        return array[None] if mode == "L" else array.transpose(2, 0, 1)

    def _scaled(self, image: Image.Image) -> Image.Image:
        """An image of more than 8 bits, by the range of its type."""
        self.traits.add("deep")
        values = np.asarray(image)
        if image.mode == "F":
            largest: float = 1
        else:
            largest = self._largest(image.mode)
            values = values.view(np.uint32) if largest == 2**32 - 1 else values
        if not (values.min() >= 0 and values.max() <= largest):  # NaN too
            rule = f"values must be in 0..{largest:,}, and these are {values.min():g}..{values.max():g}"
            raise ValueError(rule)
        scaled = np.rint(values * np.float32(255 / largest)).astype(np.uint8)
        grey = Image.fromarray(~scaled if self._dark_is_high else scaled)
        key = image.info.get("transparency")
        if isinstance(key, int):
            return Image.merge("LA", (grey, Image.fromarray(np.where(values == key, 0, 255).astype(np.uint8))))
        return grey

    @property
    def _dark_is_high(self) -> bool:
        """Whether 0 is white (TIFF), which Pillow turns round in images of up to 8 bits only."""
        return bool(getattr(self._image, "tag_v2", {}).get(_PHOTOMETRIC) == 0)

    def _largest(self, mode: str) -> int:
        """The largest whole number that a sample may be."""
        tags = getattr(self._image, "tag_v2", {})
        if _BITS in tags:
            signed = _SIGNED in tags.get(_SAMPLES, ())
            return int(2 ** (tags[_BITS][0] - signed) - 1)
        sixteen = mode != "I" or self._image.format in ("PNG", "PPM")
        return 2**16 - 1 if sixteen else 2**31 - 1

    def _composed(self, image: Image.Image, mode: Mode) -> Image.Image:
        grey = image.mode in _GREY
        layered = image.convert("LA" if grey else "RGBA")
        alpha = layered.getchannel("A")
        flat = layered.convert(mode)
        if alpha.getextrema() == (255, 255):
            return flat
        self.traits.add("transparent")
        if self._alpha == "ignore":
            return flat
        level = _BACKGROUNDS[self._alpha]
        ground = Image.new(mode, image.size, level if mode == "L" else (level,) * 3)
        ground.paste(flat, mask=alpha)
        return ground


@contextmanager
def open_picture(path: str, data: bytes, alpha: Alpha = "white") -> Iterator[Picture]:
    """An image from a file's bytes, not decoded yet.

    Args:
        path: for the error's text.
        data: of the file.
        alpha: what it is put on if it is transparent.

    Raises:
        InputError: not an image, or one whose decoding fails inside the context; names the file.
    """
    try:
        with Image.open(io.BytesIO(data)) as image:
            late = image.format == "PNG" and any(mark in data for mark in _LATE_EXIF)
            yield Picture(image, alpha, late=late)
    except _DAMAGE as error:
        if isinstance(error, InputError):
            raise
        # Pillow's own text has an object's address in it.
        reason = "not an image that is known" if isinstance(error, UnidentifiedImageError) else error
        raise InputError("image", path, f"cannot be read: {reason}") from error


def _orientation(image: Image.Image) -> int:
    """1 to 8, as Exif numbers them; 1 is upright."""
    try:
        found = image.getexif().get(ExifTags.Base.Orientation, 1)
    except (SyntaxError, ValueError, KeyError, TypeError, OSError, struct.error):  # a camera's notes may be damaged
        return 1
    return found if found in range(1, 9) else 1


def _from_lab(image: Image.Image) -> Image.Image:
    from PIL import ImageCms

    lab, rgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    found = ImageCms.applyTransform(image, ImageCms.buildTransform(lab, rgb, "LAB", "RGB"))
    assert found is not None
    return found
