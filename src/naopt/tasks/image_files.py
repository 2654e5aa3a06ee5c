"""Images that stay in their files until they are needed, for data that do not fit in memory. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from naopt.errors import InputError
from naopt.tasks.decoding import Picture, open_picture
from naopt.tasks.options import Alpha
from naopt.tasks.parts import Part
from naopt.tasks.trees import Files


@dataclass(frozen=True, slots=True)
class ImageFiles:
    """Labelled images in their files; any process can read any of them at any time.

    Attributes:
        files: where they are.
        labels: ``(n,)`` class indices.
        alpha: what transparent images are put on.
    """

    files: Files
    labels: NDArray[np.int64]
    alpha: Alpha = "white"

    def __post_init__(self) -> None:
        if self.labels.shape != (len(self.files),):
            raise InputError("labels", str(self.labels.shape), f"must be as many as the files, {len(self.files)}")
        self.labels.setflags(write=False)

    def __len__(self) -> int:
        return len(self.labels)

    @contextmanager
    def open(self, index: int) -> Iterator[Picture]:
        """One image, not decoded yet, so that a JPEG can still be decoded smaller (``Picture.draft``).

        Raises:
            InputError: it cannot be read, or its decoding fails inside the context; names the file.
        """
        with open_picture(self.files.name(index), self.files.read(index), self.alpha) as picture:
            yield picture

    def read(self, index: int) -> Image.Image:
        """One image, of mode ``RGB``. Raises ``InputError`` if it cannot be read."""
        with self.open(index) as picture:
            return picture.decode()

    def joined(self, other: ImageFiles) -> ImageFiles:
        """These and then those, from the same source."""
        labels = np.concatenate([self.labels, other.labels])
        return ImageFiles(self.files.joined(other.files), labels, self.alpha)


@dataclass(frozen=True, slots=True)
class FileSplits:
    """What ``FolderTask.files`` gives: three splits without a file in common, the class names, and remarks."""

    train: ImageFiles
    valid: ImageFiles
    test: ImageFiles
    classes: tuple[str, ...]
    remarks: tuple[str, ...] = ()

    def part(self, part: Part) -> ImageFiles:
        """One of the splits."""
        files: ImageFiles = getattr(self, part)
        return files
