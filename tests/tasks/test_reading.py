"""A data set's images in memory: their size, what they cost, and what is said about them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from naopt.errors import InputError
from naopt.tasks import Dataset, ImageOptions, ImagesTask, Limits
from naopt.tasks.options import Alpha
from tests.tasks.examples import all_splits, pack, write_images, write_mixed

PEAK = """
import resource, sys
from naopt.tasks import ImageOptions, ImagesTask
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1024 if sys.platform == "linux" else 2**20)
before = peak()
data = ImagesTask(sys.argv[1]).with_options(ImageOptions(16)).load()
print(peak() - before, len(data.train) + len(data.valid) + len(data.test))
"""


def load(folder: Path, *, side: int | None = None, alpha: Alpha = "white") -> Dataset:
    return ImagesTask(str(folder)).with_options(ImageOptions(side, alpha)).load()


@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_memory_is_that_of_the_result_and_one_image(tmp_path: Path, suffix: str) -> None:
    """Decoded, the 10 photographs of 6 megapixels have 172 MiB."""
    pixels = np.random.default_rng(0).integers(256, size=(2, 3, 3), dtype=np.uint8)
    for name, turn in (("a", 0), ("b", 2)):
        (tmp_path / name).mkdir()
        image = Image.fromarray(np.rot90(pixels, turn)).resize((3000, 2000), Image.Resampling.NEAREST)
        for index in range(5):
            path = tmp_path / name / f"{index}.{suffix}"
            if index:  # a copy with one more byte, which readers pass over
                path.write_bytes((tmp_path / name / f"0.{suffix}").read_bytes() + bytes([index]))
            else:
                image.save(path, compress_level=1)
    found = subprocess.run([sys.executable, "-c", PEAK, str(tmp_path)], capture_output=True, text=True, check=True)
    spent, count = map(int, found.stdout.split())
    assert count == 10
    assert spent < (20 if suffix == "jpg" else 60), "MiB"


def test_images_of_a_chosen_side_are_resized_once(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name in "ab":
        (tmp_path / name).mkdir()
        for index, shape in enumerate([(40, 40, 3), (30, 50, 3), (9, 7, 3), (16, 16, 3), (90, 90, 3)]):
            Image.fromarray(rng.integers(256, size=shape, dtype=np.uint8)).save(tmp_path / name / f"{index}.png")
    data = load(tmp_path, side=16)
    expected = {
        np.asarray(Image.open(path).resize((16, 16), Image.Resampling.BILINEAR)).transpose(2, 0, 1).tobytes()
        for path in tmp_path.rglob("*.png")
    }
    assert {image.tobytes() for split in all_splits(data) for image in split.images} == expected
    assert data.remarks == ("4 of 10 images are not square, and squeezed to 16x16",)
    assert data.resized(16) is data


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("side", [None, 5])
def test_what_all_images_become_does_not_depend_on_which_are_read(
    tmp_path: Path, side: int | None, packed: bool
) -> None:
    write_mixed(tmp_path / "folders")
    source = pack(tmp_path / "folders", tmp_path / "packed.tar.gz") if packed else tmp_path / "folders"
    task = ImagesTask(str(source)).with_options(ImageOptions(side))
    whole = task.load()
    assert whole.train.images.shape[1:] == ((1, 4, 6) if side is None else (1, 5, 5))
    for counts in ((None, None, 0), (0, 0, 4), (2, None, 0), (2, None, None), (0, 4, 4), (6, 4, 0)):
        part = task.load(Limits(*counts))
        assert {split.images.shape[1:] for split in all_splits(part)} == {whole.train.images.shape[1:]}
        for split, full in zip(all_splits(part), all_splits(whole), strict=True):
            assert {image.tobytes() for image in split.images} <= {image.tobytes() for image in full.images}


def test_one_coloured_image_that_is_not_read_makes_all_coloured(tmp_path: Path) -> None:
    write_mixed(tmp_path)
    write_images(tmp_path / "valid" / "b", 1, size=(9, 9), seed=3)
    for side, size in ((None, (4, 6)), (5, (5, 5))):
        task = ImagesTask(str(tmp_path)).with_options(ImageOptions(side))
        assert task.load(Limits(2, 0, 0)).train.images.shape[1:] == (3, *size)
        assert task.load(Limits(0, 0, 2)).test.images.shape[1:] == (3, *size)


def drawn(alpha: int, shape: int) -> Image.Image:
    """A bar or a column that nothing but the transparency shows."""
    seen = np.zeros((8, 8), np.uint8)
    seen[(slice(3, 5), slice(None)) if shape else (slice(None), slice(3, 5))] = alpha
    level = Image.new("L", (8, 8), 0)
    return Image.merge("RGBA", (level, level, level, Image.fromarray(seen)))


def test_shapes_in_the_transparency_alone_are_seen(tmp_path: Path) -> None:
    for shape, name in enumerate("ab"):
        (tmp_path / name).mkdir()
        for index in range(5):
            drawn(255 - index, shape).save(tmp_path / name / f"{index}.png")
    data = load(tmp_path)
    assert data.train.images.min() == 0
    assert data.train.images.max() == 255
    assert data.remarks == ("10 of 10 images are transparent in places, and put on white (alpha)",)
    assert load(tmp_path, alpha="grey").train.images.max() == 128
    streamed = ImagesTask(str(tmp_path)).with_options(ImageOptions(alpha="grey")).files()
    assert np.asarray(streamed.train.joined(streamed.valid).read(7)).max() == 128
    for alpha in ("black", "ignore"):
        rule = f"all 10 are the same picture with alpha={alpha}; try another background: white, grey, black, or ignore"
        with pytest.raises(InputError, match=f"images '{tmp_path}': {rule}"):
            load(tmp_path, alpha=alpha)


def test_images_that_are_all_the_same_are_refused(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
        for index in range(5):
            values = np.full((4, 4), 3 + index, np.int32)
            Image.fromarray(values).save(tmp_path / name / f"{index}.tif")
    rule = "all 10 are the same picture in 8 bits; store values that fill the range of their type"
    with pytest.raises(InputError, match=rule):
        load(tmp_path)


def test_what_is_special_is_counted(tmp_path: Path) -> None:
    for name in "ab":
        write_images(tmp_path / name, 5, size=(8, 8))
    for number in range(2):
        pixels = np.random.default_rng(number).integers(2**16, size=(8, 8), dtype=np.uint16)
        Image.fromarray(pixels).save(tmp_path / "a" / f"deep{number}.png")
    Image.new("RGB", (8, 8), (9, 8, 7)).save(tmp_path / "a" / "plain.png")
    exif = Image.Exif()
    exif[0x0112] = 3
    with Image.open(tmp_path / "b" / "000.png") as image:
        image.save(tmp_path / "b" / "turned.png", exif=exif)
        image.convert("P").save(tmp_path / "b" / "moving.gif", save_all=True, append_images=[Image.new("P", (8, 8))])
    found = load(tmp_path)
    assert found.remarks == (
        "2 of 15 images have more than 8 bits, and are scaled from the range of their type",
        "1 of 15 images are turned as their Exif data say",
        "1 of 15 images hold several pictures, of which the first is taken",
        "1 of 15 images are of one colour all over",
    )
    few = ImagesTask(str(tmp_path)).load(Limits(2, 1, 1))
    assert sum(map(len, all_splits(few))) == 4


def test_a_data_set_of_few_levels_is_remarked_upon(tmp_path: Path) -> None:
    for seed, name in enumerate("ab"):
        (tmp_path / name).mkdir()
        rng = np.random.default_rng(seed)
        for index in range(5):
            values = rng.integers(4096, size=(8, 8)).astype(np.uint16)  # a camera's 12 bits in 16
            values.flat[:2] = 0, 4095
            Image.fromarray(values).save(tmp_path / name / f"{index}.png")
    assert load(tmp_path).remarks[-1] == "all pixels are in 0..16 of 0..255"
