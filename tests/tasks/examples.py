"""Folders and archives of images for the tests of tasks."""

import tarfile
from pathlib import Path

import numpy as np
from PIL import Image

from naopt.tasks import Dataset, Split


def write_images(folder: Path, count: int, *, size: tuple[int, int] = (6, 5), mode: str = "RGB", seed: int = 0) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng([seed, *map(ord, str(folder.name))])
    shape = (size[1], size[0]) if mode == "L" else (size[1], size[0], 3)
    for index in range(count):
        Image.fromarray(rng.integers(256, size=shape, dtype=np.uint8), mode).save(folder / f"{index:03}.png")


def write_mixed(folder: Path) -> None:
    """Parts of which each has a size of its own; that of ``train`` has most of training and validation images.

    Test images, of which there are most, are coloured, and the others grey.
    """
    for name in "ab":
        write_images(folder / "train" / name, 3, size=(6, 4), mode="L")
        write_images(folder / "valid" / name, 2, size=(9, 9), mode="L", seed=1)
        write_images(folder / "test" / name, 6, size=(8, 8), seed=2)


def pack(folder: Path, archive: Path, *, root: str = "") -> Path:
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(folder, arcname=root or ".")
    return archive


def all_splits(data: Dataset) -> list[Split]:
    return [data.train, data.valid, data.test]


def check_disjoint(data: Dataset) -> None:
    parts = [{image.tobytes() for image in split.images} for split in all_splits(data)]
    assert sum(map(len, parts)) == len(set().union(*parts)) == sum(map(len, all_splits(data)))
