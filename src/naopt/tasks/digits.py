"""Handwritten digits that scikit-learn brings along: a real task without a download."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from naopt.errors import NaoptError
from naopt.tasks.base import ALL, Dataset, ImageTask, Limits, Split, stratified_parts, tasks
from naopt.tasks.parts import PARTS

_SIZES = {"train": 600, "valid": 600, "test": 597}


def _rows() -> NDArray[np.int64]:
    """``(1797, 65)``: 64 pixels and the label; the file of scikit-learn, whose import takes each worker a second."""
    package = find_spec("sklearn")
    if package is None or package.origin is None:
        raise NaoptError("scikit-learn is not installed, which brings the digits along")
    return np.loadtxt(Path(package.origin).parent / "datasets/data/digits.csv.gz", delimiter=",", dtype=np.int64)


@tasks.register("digits")
class DigitsTask(ImageTask):
    """1,797 handwritten digits, 8x8 pixels (bundled with scikit-learn; UCI optical recognition of digits).

    Split 600 / 600 / 597, stratified and fixed. The recipe takes a few seconds on one core and leaves architectures
    something to differ in.
    """

    recipe: ClassVar[Mapping[str, object]] = {
        "epochs": 5,
        "batch_size": 30,
        "learning_rate": 0.006,
        "cells_per_stage": 1,
        "filters": 4,
        "crop_padding": 0,
        "flip": False,
        "label_smoothing": 0.0,
    }

    def load(self, limits: Limits = ALL) -> Dataset:
        """See ``Task.load``. Pixels are 0..16."""
        rows = _rows()
        # With this stride of the only channel torch takes other kernels, whose last bits differ, than with another.
        images = rows[:, :-1].astype(np.uint8).reshape(-1, 8, 8)[:, None]
        labels = rows[:, -1].astype(np.int64)
        splits: dict[str, Split] = {}
        for part, chosen in zip(PARTS, stratified_parts(labels, list(_SIZES.values())), strict=True):
            limit = limits.of(part)
            if limit is not None and limit < len(chosen):
                chosen = chosen[stratified_parts(labels[chosen], [limit])[0]]
            splits[part] = Split(images[chosen], labels[chosen])
        return Dataset(splits["train"], splits["valid"], splits["test"], tuple(map(str, range(10))))
