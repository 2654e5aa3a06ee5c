"""What pickles may name, and the functions of this module that are called instead.

A list of names is a function: it gives what stands for a name, or ``None``, which refuses the pickle.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Names = Callable[[str], Callable[..., Any] | None]
"""Gives what is called in place of a module's class or function, whose full name it gets; ``None`` for no."""

_STORAGE = re.compile(r"torch(\.storage)?\.\w*Storage")
_NUMBERS = re.compile(r"[fiub]\d{1,2}|bool")
_ARRAY_MODULES = ("numpy.core.multiarray", "numpy._core.multiarray")


class Unread:
    """What stands for a torch tensor: its contents are not read."""


class PickledArray:
    """A numpy array of numbers; ``values`` is ``None`` until its contents were read."""

    def __init__(self) -> None:
        self.values: NDArray[Any] | None = None


class ArrayType:
    """A type of numbers."""

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self.dtype = dtype


def _unread(*_: object) -> Unread:
    return Unread()


def _number_type(name: str, *_: object) -> ArrayType:
    if not isinstance(name, str) or not _NUMBERS.fullmatch(name):
        raise ValueError(f"an array of type {name!r}, not of numbers")
    return ArrayType(np.dtype(name))


def _byte_type(name: str, *_: object) -> ArrayType:
    if name != "u1":
        raise ValueError(f"an array of type {name!r}, not unsigned bytes")
    return ArrayType(np.dtype(np.uint8))


def _scalar(kind: ArrayType, data: bytes) -> Any:
    return np.frombuffer(data, kind.dtype, count=1)[0].item()


def _encode(text: str, encoding: str) -> bytes:
    if encoding != "latin1":
        raise ValueError(f"bytes in {encoding!r}")
    return text.encode("latin1")


def _no_bytes() -> bytes:
    return b""


def _array(*_: object) -> PickledArray:
    return PickledArray()


def _ordered(items: Sequence[tuple[Any, Any]] = ()) -> dict[Any, Any]:
    return dict(items)


_ARRAYS: dict[str, Callable[..., Any]] = {
    "numpy.ndarray": _array,
    **{f"{module}._reconstruct": _array for module in _ARRAY_MODULES},
}

_BENCHMARKS: dict[str, Callable[..., Any]] = {
    **_ARRAYS,
    "numpy.dtype": _number_type,
    **{f"{module}.scalar": _scalar for module in _ARRAY_MODULES},
    "collections.OrderedDict": _ordered,
    "_codecs.encode": _encode,
    "torch._utils._rebuild_tensor": _unread,
    "torch._utils._rebuild_tensor_v2": _unread,
    "torch._utils._rebuild_parameter": _unread,
}
for _module in ("builtins", "__builtin__"):
    _BENCHMARKS |= {f"{_module}.set": set, f"{_module}.frozenset": frozenset, f"{_module}.bytes": _no_bytes}


def _of_benchmarks(name: str) -> Callable[..., Any] | None:
    return _unread if _STORAGE.fullmatch(name) else _BENCHMARKS.get(name)


BENCHMARKS: Names = _of_benchmarks
"""Containers, numpy scalars and arrays of numbers, and the place of a torch tensor without its contents."""

UNSIGNED_BYTES: Names = {**_ARRAYS, "numpy.dtype": _byte_type}.get
"""Arrays of unsigned bytes."""
