"""Image folders: a folder per class, or train, valid and test folders of those; also inside an archive."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import ClassVar, Self

import numpy as np

from naopt.tasks.base import ALL, Dataset, ImageTask, Limits, tasks
from naopt.tasks.folders import Found, find_images
from naopt.tasks.image_files import FileSplits, ImageFiles
from naopt.tasks.options import ImageOptions
from naopt.tasks.parts import PARTS
from naopt.tasks.reading import read_images
from naopt.tasks.sources import open_tree


class FolderTask(ImageTask):
    """A classification task read from image folders.

    Folders of parts (``train``, ``val``, ``Testing`` ...) are taken as they are; what is missing is split off, class by
    class, fixed: without a test folder 60 / 20 / 20 % of all (of the training folder, if there is one), with one
    ``valid_fraction`` of the training images.
    """

    takes_source = True
    valid_fraction: ClassVar[float] = 0.2

    def __init__(self, source: str) -> None:
        super().__init__(source)
        self._tree = open_tree(self.source)
        self._options = ImageOptions()

    def with_options(self, options: ImageOptions) -> Self:
        """See ``ImageTask.with_options``."""
        other = copy.copy(self)
        other._options = options
        return other

    def load(self, limits: Limits = ALL) -> Dataset:
        """See ``Task.load``."""
        return self._load(*self._tree.entries(), limits)

    def files(self, limits: Limits = ALL) -> FileSplits:
        """The same splits as ``load`` gives, as files: nothing is decoded, so it takes seconds for a million images.

        Raises:
            InputError: folders that cannot be used, or a compressed archive, which can only be read in order.
        """
        found = self._find(*self._tree.entries(), limits)
        parts = {
            part: ImageFiles(
                self._tree.open_files([path for path, _ in found.parts[part]]),
                np.array([label for _, label in found.parts[part]], dtype=np.int64),
                self._options.alpha,
            )
            for part in PARTS
        }
        return FileSplits(parts["train"], parts["valid"], parts["test"], found.classes, found.remarks)

    def _load(self, files: Sequence[str], folders: Sequence[str], limits: Limits) -> Dataset:
        found = self._find(files, folders, limits)
        splits, remarks = read_images(self._tree, found.parts, found.deciding, self._options)
        return Dataset(
            splits["train"], splits["valid"], splits["test"], found.classes, (*found.remarks, *remarks)
        )  # fmt: skip

    def _find(self, files: Sequence[str], folders: Sequence[str], limits: Limits) -> Found:
        return find_images(self._tree, files, folders, limits, self._options.parts, self.valid_fraction)


@tasks.register("images")
class ImagesTask(FolderTask):
    """Your images: ``images:PATH``, a folder per class, with or without train/valid/test folders, or an archive."""

    recipe: ClassVar[Mapping[str, object]] = {
        "cells_per_stage": 1,
        "filters": 8,
        "epochs": 5,
        "batch_size": 32,
        "learning_rate": 0.1,
    }
