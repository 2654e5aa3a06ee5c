"""A data set's images into memory, decoded one by one, and what has to be said about them."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from naopt.errors import InputError
from naopt.tasks.base import Split
from naopt.tasks.decoding import Mode, Picture, Size, open_picture
from naopt.tasks.folders import Labelled
from naopt.tasks.options import ImageOptions
from naopt.tasks.parts import PARTS, Part
from naopt.tasks.trees import Tree

_DIM = 32
"""Of 256 levels: a data set that has fewer is remarked upon."""


_Look = tuple[Size, bool]
"""What the head of an image's file says: its size, and whether it is grey."""


@dataclass
class _Survey:
    """What all images of a data set are like.

    Attributes:
        looks: of each image, by path.
        traits: how many images have each trait.
        contents: paths of equal files, by a digest.
        low: the smallest value of all pixels.
        high: the largest.
    """

    looks: dict[str, _Look] = field(default_factory=dict)
    traits: Counter[str] = field(default_factory=Counter)
    contents: dict[bytes, list[str]] = field(default_factory=dict)
    low: int = 255
    high: int = 0

    def look(self, path: str, data: bytes, picture: Picture) -> None:
        """Takes an image into account that is not decoded."""
        self.looks[path] = picture.size, picture.grey
        self.traits["several"] += picture.several
        self.contents.setdefault(hashlib.blake2b(data, digest_size=16).digest(), []).append(path)

    def decoded(self, picture: Picture, pixels: NDArray[np.uint8]) -> None:
        """Takes a decoded image into account."""
        self.traits.update(picture.traits)
        low, high = pixels.min(axis=(1, 2)), pixels.max(axis=(1, 2))
        self.traits["constant"] += bool((low == high).all())
        self.low, self.high = min(self.low, int(low.min())), max(self.high, int(high.max()))


def read_images(
    tree: Tree, parts: Mapping[Part, Labelled], deciding: Sequence[str], options: ImageOptions
) -> tuple[dict[Part, Split], tuple[str, ...]]:
    """Decodes the images of each part, all to one size, grey if all training and validation images are.

    One image is decoded at a time, a JPEG no larger than needed, so the memory is that of the result.

    Args:
        tree: what they are in.
        parts: paths and class indices of what is to be read.
        deciding: paths of all training and validation images, to be read or not, which decide what all become.
        options: how to read them; without a side, all get the size that most of the deciding ones have.

    Returns:
        The splits, images ``(n, 1 or 3, h, w)`` uint8, and remarks on what was done.

    Raises:
        InputError: an image cannot be read, with the file's name, or all images are the same.
    """
    places = {path: (part, row) for part, labelled in parts.items() for row, (path, _) in enumerate(labelled)}
    survey = _Survey()
    for path, data in tree.read(sorted(places)):
        with open_picture(f"{tree.source}/{path}", data, options.alpha) as picture:
            survey.look(path, data, picture)
    size, mode = _common(tree, deciding, survey.looks, options)
    shape = (1 if mode == "L" else 3, size[1], size[0])
    arrays = {part: np.empty((len(labelled), *shape), np.uint8) for part, labelled in parts.items()}
    first: NDArray[np.uint8] | None = None
    differ = False
    for path, data in tree.read(sorted(places)):
        part, row = places[path]
        with open_picture(f"{tree.source}/{path}", data, options.alpha) as picture:
            arrays[part][row] = picture.pixels(size, mode)
        pixels = arrays[part][row]
        survey.decoded(picture, pixels)
        first = pixels if first is None else first
        differ = differ or not np.array_equal(first, pixels)
    if not differ and len({label for labelled in parts.values() for _, label in labelled}) > 1:
        raise InputError("images", tree.source, _same(survey, options))
    labels = {part: np.array([label for _, label in labelled], dtype=np.int64) for part, labelled in parts.items()}
    splits = {part: Split(arrays[part], labels[part]) for part in parts}
    return splits, (*_about_files(survey, parts), *_about_pixels(survey, size, options))


def _common(
    tree: Tree, deciding: Sequence[str], known: Mapping[str, _Look], options: ImageOptions
) -> tuple[Size, Mode]:
    """The size and mode of a data set, which are the same whatever of it is read.

    What is not known yet is looked at: files are read, but not decoded.
    """
    looks = {path: known[path] for path in deciding if path in known}
    coloured = not all(grey for _, grey in looks.values())
    if options.side is None or not coloured:
        for path, data in tree.read(sorted(set(deciding) - looks.keys())):
            with open_picture(f"{tree.source}/{path}", data, options.alpha) as picture:
                looks[path] = picture.size, picture.grey
            coloured = coloured or not picture.grey
            if coloured and options.side is not None:
                break
    mode: Mode = "RGB" if coloured else "L"
    if options.side is not None:
        return (options.side, options.side), mode
    # The first largest count in path order, so that ties do not depend on anything else.
    return Counter(size for _, (size, _) in sorted(looks.items())).most_common(1)[0][0], mode


def _same(survey: _Survey, options: ImageOptions) -> str:
    text = f"all {len(survey.looks):,} are the same picture"
    if survey.traits["transparent"]:
        text += f" with alpha={options.alpha}; try another background: white, grey, black, or ignore"
    elif survey.traits["deep"]:
        text += " in 8 bits; store values that fill the range of their type"
    return text


def _about_files(survey: _Survey, parts: Mapping[Part, Labelled]) -> Iterator[str]:
    """Equal files in several parts, which make a test worthless, and in several classes."""
    part_of = {path: part for part, labelled in parts.items() for path, _ in labelled}
    label_of = {path: label for labelled in parts.values() for path, label in labelled}
    leaked: Counter[tuple[Part, Part]] = Counter()
    torn = 0
    for paths in survey.contents.values():
        if len(paths) > 1:
            where = {part_of[path] for path in paths}
            for path in paths:
                earlier = [part for part in PARTS[: PARTS.index(part_of[path])] if part in where]
                leaked.update((part_of[path], part) for part in earlier[:1])
            torn += len(paths) * (len({label_of[path] for path in paths}) > 1)
    for (part, source), count in sorted(leaked.items()):
        of = len(parts[part])
        yield f"leakage: {count:,} of {of:,} images of {part} are in {source} too, as files of equal content"
    if torn:
        yield f"{torn:,} images are in several classes, as files of equal content"


def _about_pixels(survey: _Survey, size: Size, options: ImageOptions) -> Iterator[str]:
    total, traits = len(survey.looks), survey.traits
    shape = f"{size[0]}x{size[1]}"
    if options.side is None:
        if resized := sum(found != size for found, _ in survey.looks.values()):
            yield f"{resized:,} of {total:,} images resized to {shape}"
    elif squeezed := sum(found[0] != found[1] for found, _ in survey.looks.values()):
        yield f"{squeezed:,} of {total:,} images are not square, and squeezed to {shape}"
    ground = "kept as coloured" if options.alpha == "ignore" else f"put on {options.alpha}"
    said = {
        "deep": "have more than 8 bits, and are scaled from the range of their type",
        "transparent": f"are transparent in places, and {ground} (alpha)",
        "turned": "are turned as their Exif data say",
        "several": "hold several pictures, of which the first is taken",
        "constant": "are of one colour all over",
    }
    yield from (f"{traits[name]:,} of {total:,} images {text}" for name, text in said.items() if traits[name])
    if survey.high - survey.low < _DIM:
        yield f"all pixels are in {survey.low}..{survey.high} of 0..255"
