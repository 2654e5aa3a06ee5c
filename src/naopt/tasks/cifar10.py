"""CIFAR-10 from any of its official files, or from image folders. Runs no code that a file holds."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from naopt.errors import InputError
from naopt.tasks.base import ALL, PARTS, Dataset, Limits, Split, stratified_parts, tasks
from naopt.tasks.images import FolderTask, Tree

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
_PIXELS = 3 * 32 * 32
_BATCHES = (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch")

Batch = tuple[NDArray[np.uint8], NDArray[np.int64]]
"""Images ``(n, 3, 32, 32)`` and labels ``(n,)``."""


@tasks.register("cifar10")
class Cifar10Task(FolderTask):
    """CIFAR-10: ``cifar10:PATH`` with the binary or Python files, image folders, or a tar.gz of either.

    A tenth of the training images, stratified and fixed, validates (45,000 / 5,000, as in the paper). The recipe is the
    paper's for the search phase: hours of a GPU for each child; ``train_limit``, ``epochs``, ``filters`` and
    ``cells_per_stage`` make it smaller.
    """

    recipe: ClassVar[Mapping[str, object]] = {
        "learning_rate": 0.024,
        "nesterov": False,
        "label_smoothing": 0.0,
        "drop_path_keep": 0.7,
        "auxiliary_weight": 0.4,
    }
    valid_fraction = 0.1

    def load(self, limits: Limits = ALL) -> Dataset:
        """See ``Task.load``."""
        files, folders = self._tree.entries()
        for suffix, parse in ((".bin", parse_binary), ("", parse_pickle)):
            found = {path.rpartition("/")[2]: path for path in files}
            batches = [found[name + suffix] for name in _BATCHES if name + suffix in found]
            if batches:
                missing = [name + suffix for name in _BATCHES if name + suffix not in found]
                if missing:
                    raise InputError("folder", self.source, f"has no {missing[0]}")
                return _official(self._tree, batches, parse, limits)
        return self._load(files, folders, limits)


def _official(tree: Tree, paths: list[str], parse: Callable[[str, bytes], Batch], limits: Limits) -> Dataset:
    batches = {path: parse(f"{tree.source}/{path}", data) for path, data in tree.read(paths)}
    images = np.concatenate([batches[path][0] for path in paths[:-1]])
    labels = np.concatenate([batches[path][1] for path in paths[:-1]])
    valid_size = len(labels) // 10
    train, valid = stratified_parts(labels, [len(labels) - valid_size, valid_size])
    whole = {
        "train": (images[train], labels[train]),
        "valid": (images[valid], labels[valid]),
        "test": batches[paths[-1]],
    }
    splits = {}
    for part in PARTS:
        images, labels = whole[part]
        limit = limits.of(part)
        if limit is not None and limit < len(labels):
            rows = stratified_parts(labels, [limit])[0]
            images, labels = images[rows], labels[rows]
        splits[part] = Split(images, labels)
    return Dataset(splits["train"], splits["valid"], splits["test"], CLASSES)


def parse_binary(path: str, data: bytes) -> Batch:
    """Records of one label byte and 3,072 pixels, plane by plane. Raises ``InputError``, with the file's name."""
    if not data or len(data) % (_PIXELS + 1):
        raise InputError("file", path, f"has {len(data)} bytes, not a multiple of {_PIXELS + 1}: truncated?")
    records = np.frombuffer(data, dtype=np.uint8).reshape(-1, _PIXELS + 1)
    return _batch(path, records[:, 1:], records[:, 0].astype(np.int64))


def parse_pickle(path: str, data: bytes) -> Batch:
    """A Python batch: a dictionary with ``data`` and ``labels``. Raises ``InputError``, with the file's name."""
    try:
        content = _PlainUnpickler(io.BytesIO(data), encoding="bytes").load()
    except (
        pickle.UnpicklingError,
        ArithmeticError,
        AttributeError,
        EOFError,
        LookupError,
        TypeError,
        ValueError,
    ) as error:
        raise InputError("file", path, f"not a CIFAR-10 batch: {error or type(error).__name__}") from error
    if not isinstance(content, dict):
        raise InputError("file", path, "not a CIFAR-10 batch: not a dictionary")
    pixels, labels = (content.get(key.encode(), content.get(key)) for key in ("data", "labels"))
    if not isinstance(pixels, _PickledArray) or not isinstance(labels, list):
        raise InputError("file", path, "not a CIFAR-10 batch: has no data and labels")
    if not all(type(label) is int and 0 <= label < len(CLASSES) for label in labels):
        raise InputError("file", path, "has a label outside 0..9")
    if len(pixels.data) != len(labels) * _PIXELS or not labels:
        raise InputError("file", path, f"has {len(pixels.data)} pixels for {len(labels)} images of {_PIXELS}")
    return _batch(path, np.frombuffer(pixels.data, dtype=np.uint8).reshape(-1, _PIXELS), np.array(labels, np.int64))


def _batch(path: str, pixels: NDArray[np.uint8], labels: NDArray[np.int64]) -> Batch:
    if labels.max() >= len(CLASSES):
        raise InputError("file", path, "has a label outside 0..9")
    return pixels.reshape(-1, 3, 32, 32), labels


class _PickledType:
    """Stands in for ``numpy.dtype``; only unsigned bytes are let through."""

    def __init__(self, code: object, *_: object) -> None:
        if code not in ("u1", b"u1"):
            raise pickle.UnpicklingError(f"array of type {code!r}, not unsigned bytes")

    def __setstate__(self, state: object) -> None:
        """Byte order and the like: nothing that matters to single bytes."""


class _PickledArray:
    """Stands in for ``numpy.ndarray``: keeps the bytes of a C-ordered array of unsigned bytes."""

    data: bytes = b""

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, _, kind, fortran, data = state
        if not isinstance(kind, _PickledType) or fortran or not isinstance(data, bytes):
            raise pickle.UnpicklingError("not a plain array of unsigned bytes")
        self.data = data


def _reconstruct(*_: object) -> _PickledArray:
    return _PickledArray()


class _PlainUnpickler(pickle.Unpickler):
    """Builds plain values and stand-ins for arrays of bytes; whatever else a file wants to call is refused."""

    _ALLOWED: ClassVar[Mapping[tuple[str, str], Any]] = {
        ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
        ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
        ("numpy", "ndarray"): _PickledArray,
        ("numpy", "dtype"): _PickledType,
    }

    def find_class(self, module: str, name: str) -> Any:
        """One of the stand-ins. Raises ``UnpicklingError`` for any other name."""
        if (module, name) not in self._ALLOWED:
            raise pickle.UnpicklingError(f"unsafe pickle: it wants {module}.{name}, which was refused")
        return self._ALLOWED[module, name]
