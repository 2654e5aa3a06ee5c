"""Every kind of image against the value that its pixels stand for."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from naopt.errors import InputError
from naopt.tasks.decoding import Mode, open_picture, suffixes
from naopt.tasks.options import Alpha

RAMP = np.arange(0, 256, 51, dtype=np.uint8).reshape(2, 3)
"""0, 51, 102, 153, 204, 255: black to white in equal steps, in two rows."""


def stored(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def decoded(data: bytes, mode: Mode = "L", alpha: Alpha = "white") -> NDArray[np.uint8]:
    with open_picture("x", data, alpha) as picture:
        return np.asarray(picture.decode(mode))


def traits(data: bytes) -> set[str]:
    with open_picture("x", data) as picture:
        picture.decode()
    return picture.traits


# More and fewer than 8 bits.


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM"])
def test_16_bits_are_scaled_by_their_range(kind: str) -> None:
    data = stored(Image.fromarray(RAMP.astype(np.uint16) * 257), kind)
    assert np.array_equal(decoded(data), RAMP)
    assert np.array_equal(decoded(data, "RGB")[..., 1], RAMP)
    assert "deep" in traits(data)


def tiff(values: NDArray[Any], *, unsigned: bool = False) -> bytes:
    """Pillow writes signed numbers only."""
    data, tag = stored(Image.fromarray(values), "TIFF"), struct.pack("<HHI", 339, 3, 1)
    assert not unsigned or data.count(tag + b"\2") == 1
    return data.replace(tag + b"\2", tag + b"\1") if unsigned else data


@pytest.mark.parametrize(("depth", "high"), [(np.uint8, 255), (np.uint16, 65535), (np.float32, 1.0)])
def test_0_is_white_where_a_tiff_says_so(depth: type[np.generic], high: float) -> None:
    stored_as = (high - RAMP / 255 * high).astype(depth)
    photometric = struct.pack("<HHIH", 262, 3, 1, 1)
    data = stored(Image.fromarray(stored_as), "TIFF")
    assert data.count(photometric) == 1
    assert np.array_equal(decoded(data.replace(photometric, struct.pack("<HHIH", 262, 3, 1, 0))), RAMP)


@pytest.mark.parametrize(("largest", "unsigned"), [(2**31 - 1, False), (2**32 - 1, True)])
def test_32_bits_are_scaled_by_their_range(largest: int, unsigned: bool) -> None:
    values = (RAMP.astype(np.float64) / 255 * largest).round().astype(np.uint32).view(np.int32)
    assert np.array_equal(decoded(tiff(values, unsigned=unsigned)), RAMP)


@pytest.mark.parametrize("kind", ["TIFF", "PPM"])
def test_floats_go_from_0_to_1(kind: str) -> None:
    assert np.array_equal(decoded(stored(Image.fromarray(RAMP.astype(np.float32) / 255), kind)), RAMP)


@pytest.mark.parametrize(
    ("values", "rule"),
    [
        (np.array([[0, 255]], np.float32), r"values must be in 0\.\.1, and these are 0\.\.255"),
        (np.array([[-0.5, 1]], np.float32), r"in 0\.\.1, and these are -0\.5\.\.1"),
        (np.array([[0, np.nan]], np.float32), r"these are nan\.\.nan"),
        (np.array([[-1, 5]], np.int32), r"in 0\.\.2,147,483,647, and these are -1\.\.5"),
    ],
)
def test_values_outside_of_the_range_are_refused(values: NDArray[Any], rule: str) -> None:
    with pytest.raises(InputError, match=f"image 'x': cannot be read: .*{rule}"):
        decoded(tiff(values))


def test_one_bit_is_black_and_white() -> None:
    image = Image.fromarray(np.array([[0, 255, 0]], np.uint8)).convert("1")
    for kind in ("PNG", "TIFF", "BMP", "PPM"):
        assert decoded(stored(image, kind)).tolist() == [[0, 255, 0]]


# Colours.


def test_cmyk_and_lab_become_rgb() -> None:
    cyan = Image.new("CMYK", (3, 2), (255, 0, 0, 0))
    for kind in ("TIFF", "JPEG"):
        assert np.abs(decoded(stored(cyan, kind), "RGB").astype(int) - [0, 255, 255]).max() <= 3
    # CIE L* = 53.4 is the middle grey of sRGB; Pillow's L goes to 255, its a and b are around 128.
    grey, white = (Image.new("LAB", (3, 2), (level, 128, 128)) for level in (round(53.4 * 2.55), 255))
    for image, level in ((grey, 128), (white, 255)):
        assert np.abs(decoded(stored(image, "TIFF"), "RGB").astype(int) - level).max() <= 2


def test_a_palette_gives_its_colours() -> None:
    image = Image.new("P", (3, 2), 1)
    image.putpalette([10, 20, 30, 40, 50, 60])
    for kind in ("PNG", "GIF", "BMP", "TIFF"):
        assert (decoded(stored(image, kind), "RGB") == [40, 50, 60]).all()


# Transparency.


def half_seen() -> dict[str, bytes]:
    """Black in each way that formats have of leaving its first pixel out and showing the second."""
    seen = Image.fromarray(np.array([[0, 255]], np.uint8))
    black = Image.new("L", (2, 1), 0)
    palette = Image.fromarray(np.array([[0, 1]], np.uint8), "P")
    palette.putpalette([0] * 6)
    key = Image.fromarray(np.array([[7, 0]], np.uint8))
    rgba = Image.merge("RGBA", (black, black, black, seen))
    deep = Image.fromarray(np.array([[700, 0]], np.uint16))
    return {
        "LA": stored(Image.merge("LA", (black, seen))),
        "RGBA": stored(rgba),
        "RGBA of WebP": stored(rgba, "WEBP", lossless=True, exact=True),
        "RGBA of TIFF": stored(rgba, "TIFF"),
        "palette": stored(palette, transparency=bytes([0, 255])),
        "palette of GIF": stored(palette, "GIF", transparency=0),
        "key": stored(key, transparency=7),
        "key of RGB": stored(key.convert("RGB"), transparency=(7, 7, 7)),
        "key of 16 bits": stored(deep, transparency=700),
    }


@pytest.mark.parametrize("way", half_seen())
def test_what_is_transparent_shows_the_background(way: str) -> None:
    data = half_seen()[way]
    levels: dict[Alpha, int] = {"white": 255, "grey": 128, "black": 0}
    for alpha, level in levels.items():
        assert decoded(data, "RGB", alpha)[0].tolist() == [[level] * 3, [0] * 3]
    assert "transparent" in traits(data)
    under = decoded(data, "RGB", "ignore")[0].tolist()
    assert under == [[7 if way.startswith("key") else 0] * 3, [0] * 3] or (way.endswith("16 bits") and under[0][0] == 3)


def test_half_transparent_is_half_background() -> None:
    image = Image.new("RGBA", (2, 2), (0, 0, 200, 51))
    assert (decoded(stored(image), "RGB") == [204, 204, 244]).all()
    assert traits(stored(Image.new("RGBA", (2, 2), (0, 0, 200, 255)))) == set()


# Orientation.

TURNS: dict[int, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {
    1: lambda a: a,
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: np.transpose,
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(a, 2).T,
    8: np.rot90,
}


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "JPEG", "WEBP", "AVIF", "MPO"])
def test_images_are_turned_as_cameras_say(kind: str) -> None:
    if kind == "AVIF" and ".avif" not in suffixes():
        pytest.skip("this Pillow reads no AVIF")
    corner = np.zeros((16, 24), np.uint8)
    corner[:8, :8], corner[8:, :8] = 255, 128
    for orientation, turn in TURNS.items():
        exif = Image.Exif()
        exif[0x0112] = orientation
        with open_picture("x", stored(Image.fromarray(corner).convert("RGB"), kind, exif=exif)) as picture:
            assert picture.size == turn(corner).shape[::-1]
            found = np.asarray(picture.decode("L")).astype(int)
            assert ("turned" in picture.traits) == (orientation != 1) or kind == "AVIF"
        assert np.abs(found - turn(corner)).mean() < 5, orientation


def test_damaged_orientations_are_none() -> None:
    for value in (0, 9, 6000):
        exif = Image.Exif()
        exif[0x0112] = value
        assert np.array_equal(decoded(stored(Image.fromarray(RAMP), exif=exif)), RAMP)
    image = Image.fromarray(RAMP)
    assert np.array_equal(decoded(stored(image, exif=b"Exif\0\0 nothing of the kind")), RAMP)


def test_turned_jpegs_are_decoded_small_and_exact_enough() -> None:
    rows, columns = np.mgrid[0:480, 0:640]
    pixels = np.stack([rows / 2, columns / 3, (rows + columns) / 5], axis=-1).astype(np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6
    with open_picture("x", stored(Image.fromarray(pixels), "JPEG", exif=exif, quality=95)) as picture:
        found = picture.pixels((30, 40), "RGB").astype(int)
        assert picture.size == (60, 80), "decoded at 1/8"
    exact = Image.fromarray(np.rot90(pixels, -1)).resize((30, 40), Image.Resampling.BILINEAR)
    assert np.abs(found.transpose(1, 2, 0) - np.asarray(exact)).mean() < 2


# Several pictures, and files that are none.


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_of_several_pictures_the_first_is_taken(kind: str) -> None:
    first, second = (Image.new("RGB", (6, 5), level) for level in ((250, 0, 0), (0, 250, 0)))
    with open_picture("x", stored(first, kind, save_all=True, append_images=[second])) as picture:
        assert picture.several
        assert np.abs(np.asarray(picture.decode()).astype(int) - [250, 0, 0]).max() < 8
    with open_picture("x", stored(first, kind)) as picture:
        assert not picture.several
    with open_picture("x", stored(first, "MPO", save_all=True, append_images=[second])) as picture:
        assert not picture.several, "a camera's preview"


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP", "QOI", "JPEG2000"])
def test_damaged_files_are_named(kind: str) -> None:
    rng = np.random.default_rng(0)
    whole = stored(Image.fromarray(rng.integers(256, size=(20, 20, 3), dtype=np.uint8)), kind)
    for data in (whole[: len(whole) // 2], whole[:3], b""):
        with pytest.raises(InputError, match="image 'x': cannot be read") as error:
            decoded(data)
        assert "\n" not in str(error.value)


def test_suffixes_are_those_that_pillow_decodes() -> None:
    assert {".jpg", ".jpe", ".jfif", ".png", ".webp", ".tif", ".gif", ".bmp", ".jp2", ".tga"} <= suffixes()
    assert not {".pdf", ".eps", ".h5", ".mpg", ".txt", ".heic", ""} & suffixes()
