"""Folders of images of all modes, sizes, suffixes, names and links against a naive reading of what was written."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from naopt.tasks import ImagesTask
from tests.tasks.examples import all_splits

KINDS = {
    "1": ("png", "TIF", "bmp"),
    "L": ("png", "tiff", "PGM", "tga"),
    "LA": ("PNG", "tif"),
    "P": ("png", "gif", "bmp"),
    "RGB": ("png", "PPM", "tif", "bmp", "tga"),
    "RGBA": ("png", "tiff", "Tga"),
    "CMYK": ("tif",),
    "I": ("tif",),
    "F": ("TIFF",),
    "I;16": ("png", "tif"),
}
GREY = {"1", "L", "LA", "I", "F", "I;16"}
names = st.text("aé日 .-_~%'{[", min_size=1, max_size=6).filter(lambda name: name.strip(". ") and name[0] != ".")


@dataclass(frozen=True)
class Drawn:
    """An image to be written.

    Attributes:
        mode: of Pillow.
        suffix: of its file.
        size: width and height.
        name: of its file, a number and a suffix left out.
        link: what is made beside it: ``hard`` or ``soft`` link, or nothing.
        seed: of its pixels.
    """

    mode: str
    suffix: str
    size: tuple[int, int]
    name: str
    link: str
    seed: int

    def write(self, folder: Path, label: int, number: int) -> NDArray[np.uint8]:
        """Writes it; gives what is to be read, ``(h, w)`` or ``(h, w, 3)``."""
        rng = np.random.default_rng([self.seed, label, number])
        shape = self.size[::-1]
        grey = rng.integers(256, size=shape, dtype=np.uint8)
        colours = rng.integers(256, size=(*shape, 3), dtype=np.uint8)
        seen = rng.integers(2, size=shape, dtype=np.uint8) * np.uint8(255)
        image, expected = self._made(grey, colours, seen)
        path = folder / f"{number}{self.name}.{self.suffix}"
        image.save(path)
        other = path.with_name(f"{number} again.{self.suffix}")
        if self.link == "hard":
            os.link(path, other)
        elif self.link == "soft":
            other.symlink_to(path.name)
        return expected.astype(np.uint8)

    def _made(
        self, grey: NDArray[np.uint8], colours: NDArray[np.uint8], seen: NDArray[np.uint8]
    ) -> tuple[Image.Image, NDArray[np.generic]]:
        match self.mode:
            case "1":
                return Image.fromarray(seen).convert("1"), seen
            case "L":
                return Image.fromarray(grey), grey
            case "LA":
                return Image.fromarray(np.dstack([grey, seen]), "LA"), np.where(seen, grey, 255)
            case "P":
                return paletted(grey)
            case "RGB":
                return Image.fromarray(colours), colours
            case "RGBA":
                return Image.fromarray(np.dstack([colours, seen])), np.where(seen[..., None], colours, 255)
            case "CMYK":
                return Image.fromarray(np.dstack([~colours, 0 * grey]), "CMYK"), colours
            case "I":
                return Image.fromarray(np.rint(grey / 255 * (2**31 - 1)).astype(np.int32)), grey
            case "F":
                return Image.fromarray(grey.astype(np.float32) / 255), grey
        return Image.fromarray(grey.astype(np.uint16) * 257), grey


def paletted(indices: NDArray[np.uint8]) -> tuple[Image.Image, NDArray[np.uint8]]:
    colours = np.random.default_rng(0).integers(256, size=(256, 3), dtype=np.uint8)
    image = Image.fromarray(indices).convert("P")
    image.putdata(indices.ravel().tolist())
    image.putpalette(colours.ravel().tolist())
    return image, colours[indices]


images = st.sampled_from(sorted(KINDS)).flatmap(
    lambda mode: st.builds(
        Drawn,
        mode=st.just(mode),
        suffix=st.sampled_from(KINDS[mode]),
        size=st.sampled_from([(6, 5), (6, 5), (5, 6), (2, 7), (17, 9)]),
        name=names,
        link=st.sampled_from(["", "", "hard", "soft"]),
        seed=st.integers(0, 2**32 - 1),
    )
)


@settings(max_examples=20)
@given(st.lists(st.lists(images, min_size=3, max_size=6), min_size=2, max_size=3), names, st.booleans())
def test_folders_of_all_kinds_of_images(classes: list[list[Drawn]], name: str, loop: bool) -> None:
    with tempfile.TemporaryDirectory() as place:
        root = Path(place) / name
        written: list[tuple[int, Drawn, NDArray[np.uint8]]] = []
        for label, drawn in enumerate(classes):
            folder = root / f"{label}{name}" / "deeper"
            folder.mkdir(parents=True)
            written += [(label, image, image.write(folder, label, number)) for number, image in enumerate(drawn)]
            (folder / f"{name}.txt").touch()
            if loop:
                (folder / "loop").symlink_to(root)
        data = ImagesTask(str(root)).load()
    grey, unseen = data.train.images.shape[1] == 1, len(data.test.images)
    size = data.train.images.shape[:1:-1]
    counts = Counter(image.size for _, image, _ in written)
    coloured = sum(image.mode not in GREY for _, image, _ in written)
    # Test images decide neither size nor channels.
    assert counts[size] >= max(counts.values()) - unseen
    assert grey == (coloured == 0) or (grey and coloured <= unseen)
    expected: Counter[tuple[int, bytes]] = Counter()
    for label, _, pixels in written:
        whole = Image.fromarray(pixels).convert("L" if grey else "RGB")
        resized = whole if whole.size == size else whole.resize(size, Image.Resampling.BILINEAR)
        expected[label, np.asarray(resized).tobytes()] += 1
    found = Counter(
        (int(label), (image[0] if grey else image.transpose(1, 2, 0)).tobytes())
        for split in all_splits(data)
        for image, label in zip(split.images, split.labels, strict=True)
    )
    assert found == expected
    said = " ".join(data.remarks)
    links = sum(bool(image.link) for _, image, _ in written)
    assert ("are links to others" in said) == bool(links)
    assert f"left out: {len(classes)} of " in said
    assert ("resized to" in said) == (len(counts) > 1)
