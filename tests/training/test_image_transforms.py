"""Random crops and colours of single images, against naive versions in float64."""

from __future__ import annotations

import colorsys
import copy
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from naopt.tasks.decoding import Picture
from naopt.training.image_transforms import (
    Jitter,
    colour_jitter,
    evaluation_image,
    random_box,
    training_image,
    turn_hue,
)
from tests.tasks.test_resizing import triangle

STILL: Jitter = (0.0, 0.0, 0.0, 0.0)


def noise(width: int, height: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(256, size=(height, width, 3), dtype=np.uint8)


def encoded(pixels: NDArray[np.uint8], kind: str = "PNG") -> Picture:
    """As ``ImageFiles.open`` gives it: the header is read, the pixels are not."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, quality=95)
    return Picture(Image.open(file))


def naive_resize(pixels: NDArray[np.uint8], width: int, height: int) -> NDArray[np.float64]:
    """``(h, w, 3)`` to ``(height, width, 3)``."""
    rows, columns = triangle(pixels.shape[0], height), triangle(pixels.shape[1], width)
    return (rows @ pixels.transpose(2, 0, 1) @ columns.T).transpose(1, 2, 0)


@given(st.integers(1, 300), st.integers(1, 300), st.integers(0, 10**6))
def test_boxes_lie_inside_and_have_the_area_and_ratio_asked_for(width: int, height: int, seed: int) -> None:
    left, upper, right, lower = random_box(width, height, np.random.default_rng(seed))
    across, down = right - left, lower - upper
    assert 0 <= left < right <= width
    assert 0 <= upper < lower <= height
    if 3 / 4 < width / height < 4 / 3:
        assert (across + 1) * (down + 1) >= 0.08 * width * height
        assert (across - 1) / (down + 1) <= 4 / 3
        assert (across + 1) >= 3 / 4 * (down - 1)


def test_boxes_are_everywhere_and_of_all_sizes() -> None:
    rng = np.random.default_rng(0)
    boxes = np.array([random_box(120, 100, rng) for _ in range(4000)])
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]) / 12_000
    assert np.quantile(areas, [0.02, 0.98]) == pytest.approx([0.1, 0.9], abs=0.06)
    assert areas.mean() == pytest.approx(0.5, abs=0.06)  # large boxes of odd ratio do not fit, and are drawn again
    ratios = (boxes[:, 2] - boxes[:, 0]) / (boxes[:, 3] - boxes[:, 1])
    assert np.median(np.log(ratios)) == pytest.approx(0, abs=0.05)
    covered = np.zeros((100, 120))
    for left, upper, right, lower in boxes:
        covered[upper:lower, left:right] += 1
    assert covered.min() > 0
    assert np.allclose(covered, covered[:, ::-1], atol=300)


@pytest.mark.parametrize(
    ("width", "height", "box"), [(1000, 10, (493, 0, 506, 10)), (10, 1000, (0, 493, 10, 506)), (1, 1, (0, 0, 1, 1))]
)
def test_images_too_long_for_any_box_give_their_centre(width: int, height: int, box: tuple[int, ...]) -> None:
    assert random_box(width, height, np.random.default_rng(0)) == box


@pytest.mark.parametrize(("width", "height", "size"), [(40, 30, 12), (9, 21, 16), (64, 64, 64)])
@pytest.mark.parametrize("flip", [True, False])
def test_training_images_are_those_of_a_naive_version(width: int, height: int, size: int, flip: bool) -> None:
    pixels = noise(width, height)
    mirrored = 0
    for seed in range(20):
        rng, again = np.random.default_rng(seed), np.random.default_rng(seed)
        found = training_image(encoded(pixels), size, flip=flip, jitter=STILL, rng=rng)
        left, upper, right, lower = random_box(width, height, again)
        expected = naive_resize(pixels[upper:lower, left:right], size, size)
        if flip and again.random() < 0.5:
            mirrored += 1
            expected = expected[:, ::-1]
        assert found.mode == "RGB"
        assert np.abs(np.asarray(found, dtype=float) - expected).max() < 1.51
    assert bool(mirrored) == flip
    assert mirrored < 20


@pytest.mark.parametrize(("width", "height", "size"), [(40, 30, 14), (30, 41, 14), (16, 16, 14), (7, 9, 28)])
def test_evaluation_images_are_those_of_a_naive_version(width: int, height: int, size: int) -> None:
    pixels = noise(width, height)
    found = np.asarray(evaluation_image(encoded(pixels), size), dtype=float)
    shorter = round(size * 256 / 224)
    across, down = (int(shorter * side / min(width, height)) for side in (width, height))
    resized = naive_resize(pixels, across, down)
    left, upper = round((across - size) / 2), round((down - size) / 2)
    assert np.abs(found - resized[upper : upper + size, left : left + size]).max() < 1.51


def test_large_jpegs_are_decoded_small() -> None:
    rows, columns = np.mgrid[0:800, 0:1000]
    pixels = np.stack([rows / 4, columns / 5, (rows + columns) / 8], axis=-1).astype(np.uint8)
    small = encoded(pixels, "JPEG")
    found = np.asarray(evaluation_image(small, 56), dtype=float)
    assert small.size == (125, 100)
    exact = np.asarray(evaluation_image(encoded(pixels), 56), dtype=float)
    assert np.abs(found - exact).mean() < 2
    for seed in range(10):
        whole, half = encoded(pixels), encoded(pixels, "JPEG")
        pair = [
            np.asarray(training_image(image, 56, flip=True, jitter=STILL, rng=np.random.default_rng(seed)), dtype=float)
            for image in (whole, half)
        ]
        assert half.size[0] < whole.size[0]
        assert np.abs(pair[0] - pair[1]).mean() < 3


def test_turned_images_are_cropped_as_if_they_were_upright() -> None:
    pixels, exif = noise(40, 30), Image.Exif()
    exif[0x0112] = 6
    upright, file = encoded(np.ascontiguousarray(np.rot90(pixels, -1))), io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", exif=exif)
    turned = Picture(Image.open(file), late=True)
    assert turned.size == upright.size == (30, 40)
    pair = [
        np.asarray(training_image(image, 14, flip=True, jitter=STILL, rng=np.random.default_rng(3)))
        for image in (upright, turned)
    ]
    assert np.array_equal(pair[0], pair[1])


@pytest.mark.parametrize("mode", ["L", "P", "CMYK", "RGBA", "I;16"])
def test_other_modes_become_rgb(mode: str) -> None:
    if mode == "I;16":
        image = Image.fromarray(np.full((8, 8), 300, np.uint16))
    else:
        image = Image.fromarray(noise(8, 8)).convert(mode)
    file = io.BytesIO()
    image.save(file, "TIFF")
    found = training_image(Picture(Image.open(file)), 4, flip=False, jitter=STILL, rng=np.random.default_rng(0))
    assert (found.mode, found.size) == ("RGB", (4, 4))


# Colours.


def grey(pixels: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.repeat((pixels @ [0.299, 0.587, 0.114])[..., None], 3, axis=-1)


def naive_jitter(pixels: NDArray[np.uint8], jitter: Jitter, rng: np.random.Generator) -> NDArray[np.float64]:
    values = pixels.astype(float)
    order = np.argsort([rng.random() for _ in range(4)])
    amounts = [jitter[change] * (2 * rng.random() - 1) for change in range(4)]
    for change in order:
        if change == 3:
            hsv = np.apply_along_axis(lambda p: colorsys.rgb_to_hsv(*p), -1, values / 255)
            hsv[..., 0] = (hsv[..., 0] + amounts[3]) % 1
            values = 255 * np.apply_along_axis(lambda p: colorsys.hsv_to_rgb(*p), -1, hsv)
        else:
            other = (np.zeros_like(values), np.full_like(values, grey(values).mean()), grey(values))[change]
            values = np.clip(other + (1 + amounts[change]) * (values - other), 0, 255)
    return values


@pytest.mark.parametrize(
    "jitter", [(0.4, 0.0, 0.0, 0.0), (0.0, 0.4, 0.0, 0.0), (0.0, 0.0, 0.4, 0.0), (0.0, 0.0, 0.0, 0.2),
               (0.4, 0.4, 0.4, 0.2)],
)  # fmt: skip
def test_colours_are_those_of_a_naive_version(jitter: Jitter) -> None:
    pixels = noise(12, 10)
    for seed in range(12):
        rng = np.random.default_rng(seed)
        expected = naive_jitter(pixels, jitter, copy.deepcopy(rng))
        found = np.asarray(colour_jitter(Image.fromarray(pixels), jitter, rng), dtype=float)
        # Pillow rounds to whole levels after each change, and hues to 256 steps.
        assert np.abs(found - expected).mean() < (4 if jitter[3] else 1)


def test_the_order_of_the_changes_is_random() -> None:
    """Contrast before brightness gives other values than after it; with equal amounts only the order differs."""
    image, found = Image.fromarray(noise(6, 6)), set()
    for seed in range(60):
        rng = np.random.default_rng(seed)
        found.add(tuple(np.argsort(rng.random(4)).tolist()))
        assert colour_jitter(image, (1.0, 1.0, 1.0, 0.5), np.random.default_rng(seed)).size == (6, 6)
    assert len(found) > 15


@given(st.floats(-0.5, 0.5))
def test_a_turned_hue_is_turned_back(turns: float) -> None:
    image = Image.fromarray(np.array([[[200, 40, 40], [10, 180, 90], [128, 128, 128], [5, 6, 240]]], np.uint8))
    back = turn_hue(turn_hue(image, turns), -turns)
    assert np.abs(np.asarray(back, dtype=int) - np.asarray(image, dtype=int)).max() <= 16
    assert np.asarray(turn_hue(image, turns))[0, 2].tolist() == [128, 128, 128]


def test_a_third_of_a_turn_makes_red_green() -> None:
    image = Image.new("RGB", (1, 1), (255, 0, 0))
    red, green, blue = np.asarray(turn_hue(image, 1 / 3))[0, 0].tolist()
    assert green > 240
    assert max(red, blue) < 16
