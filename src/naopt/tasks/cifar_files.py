"""The official files of CIFAR-10 and CIFAR-100. Runs no code that a file holds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from naopt.errors import InputError
from naopt.pickles import UNSIGNED_BYTES, PickledArray, PlainReader

_PIXELS = 3 * 32 * 32

Batch = tuple[NDArray[np.uint8], NDArray[np.int64]]
"""Images ``(n, 3, 32, 32)`` and labels ``(n,)``."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How one of the two data sets is stored.

    Attributes:
        name: for the error's text.
        batches: names of the files, without ``.bin``; the last one is the test set.
        labels: the dictionary's key in Python files.
        label_bytes: of each record in binary files; the last of them is the label.
        classes: their number.
    """

    name: str
    batches: tuple[str, ...]
    labels: str
    label_bytes: int
    classes: int

    def check(self, path: str, labels: NDArray[np.int64]) -> None:
        """Raises ``InputError`` for a label that is not a class."""
        if not ((labels >= 0) & (labels < self.classes)).all():
            raise InputError("file", path, f"has a label outside 0..{self.classes - 1}")


def parse_binary(path: str, data: bytes, layout: Layout) -> Batch:
    """Records of label bytes and 3,072 pixels, plane by plane. Raises ``InputError``, with the file's name."""
    size = _PIXELS + layout.label_bytes
    if not data or len(data) % size:
        raise InputError("file", path, f"has {len(data)} bytes, not a multiple of {size}: truncated?")
    records = np.frombuffer(data, dtype=np.uint8).reshape(-1, size)
    labels = records[:, layout.label_bytes - 1].astype(np.int64)
    layout.check(path, labels)
    return records[:, layout.label_bytes :].reshape(-1, 3, 32, 32), labels


def parse_pickle(path: str, data: bytes, layout: Layout) -> Batch:
    """A Python batch: a dictionary with pixels and labels. Raises ``InputError``, with the file's name."""
    wrong = f"not a {layout.name} batch"
    try:
        content = PlainReader(data, path, UNSIGNED_BYTES).read()
    except InputError as error:
        raise InputError("file", path, f"{wrong}: {error.rule}") from error
    if not isinstance(content, dict):
        raise InputError("file", path, f"{wrong}: not a dictionary")
    pixels, labels = content.get("data"), content.get(layout.labels)
    if not isinstance(pixels, PickledArray) or pixels.values is None or not isinstance(labels, list):
        raise InputError("file", path, f"{wrong}: has no data and {layout.labels}")
    if not labels or pixels.values.size != len(labels) * _PIXELS:
        raise InputError("file", path, f"has {pixels.values.size} pixels for {len(labels)} images of {_PIXELS}")
    if not all(type(label) is int and 0 <= label < 2**31 for label in labels):
        raise InputError("file", path, f"has a label outside 0..{layout.classes - 1}")
    found = np.array(labels, np.int64)
    layout.check(path, found)
    return pixels.values.reshape(-1, 3, 32, 32), found
