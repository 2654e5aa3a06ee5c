"""A reader of pickles that can construct nothing but plain values: for benchmark files that exist only as pickles.

Python's own reader looks up any class or function by name and calls it. This one is an interpreter of the instructions
that data need (the protocols 0 to 5 of PEP 3154 and PEP 574 without shared buffers): containers, numbers, text and,
through functions of this module, ordered dictionaries, numpy scalars and arrays of numbers, and the place of a torch
tensor without its contents. A pickle that names anything else is refused, with the name.

It reads from a buffer, so that a mapped file is never in memory as a whole, and calls ``simplify`` on every dictionary
as it is filled: what that removes is not kept, whatever the size of the file.
"""

from __future__ import annotations

import pickletools
import re
import struct
from array import array
from collections.abc import Callable, Sequence
from mmap import mmap
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from naopt.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_TEXTS = 2**16 - 1
"""How many different texts are kept once only; benchmarks repeat a few hundred keys millions of times."""

_STORAGE = re.compile(r"torch(\.storage)?\.\w*Storage")
_DTYPE = re.compile(r"[fiub]\d{1,2}|bool")


class Unread:
    """What stands for a torch tensor: its contents are not read."""


class PickledArray:
    """A numpy array of numbers; ``values`` is ``None`` until its contents were read."""

    def __init__(self) -> None:
        self.values: NDArray[Any] | None = None


class _Type:
    def __init__(self, dtype: np.dtype[Any]) -> None:
        self.dtype = dtype


class _Global:
    """A name that a pickle may call, and what is done then."""

    def __init__(self, call: Callable[..., Any]) -> None:
        self.call = call


def _unread(*_: object) -> Unread:
    return Unread()


def _type(name: str, *_: object) -> _Type:
    if not isinstance(name, str) or not _DTYPE.fullmatch(name):
        raise ValueError(f"an array of type {name!r}, not of numbers")
    return _Type(np.dtype(name))


def _scalar(kind: _Type, data: bytes) -> Any:
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


_GLOBALS: dict[str, _Global] = {
    "collections.OrderedDict": _Global(_ordered),
    "_codecs.encode": _Global(_encode),
    "numpy.dtype": _Global(_type),
    "numpy.ndarray": _Global(_array),
    "torch._utils._rebuild_tensor": _Global(_unread),
    "torch._utils._rebuild_tensor_v2": _Global(_unread),
    "torch._utils._rebuild_parameter": _Global(_unread),
}
for _module in ("numpy.core.multiarray", "numpy._core.multiarray"):
    _GLOBALS |= {f"{_module}.scalar": _Global(_scalar), f"{_module}._reconstruct": _Global(_array)}
for _module in ("builtins", "__builtin__"):
    _GLOBALS |= {f"{_module}.set": _Global(set), f"{_module}.frozenset": _Global(frozenset)}
    _GLOBALS |= {f"{_module}.bytes": _Global(_no_bytes)}


class PlainReader:
    """Reads the pickles that follow each other in a buffer.

    Args:
        data: a mapped file, or bytes.
        where: the file, for messages.
        simplify: is called with every dictionary after entries were added to it (a large one comes several times, still
            growing), and may change it. It must leave alone what it has simplified before.
        start: where the first pickle begins.

    Attributes:
        position: where the next pickle begins.
    """

    def __init__(
        self,
        data: bytes | mmap,
        where: str,
        simplify: Callable[[dict[Any, Any]], None] = lambda _: None,
        start: int = 0,
    ) -> None:
        self._data, self._where, self._simplify, self.position = data, where, simplify, start
        self._size = len(data)

    def read(self) -> Any:
        """The next value.

        Raises:
            InputError: the pickle names a class that is not allowed, has instructions that data do not need, or is
                damaged; says which.
        """
        self._stack: list[Any] = []
        self._marks: list[list[Any]] = []
        # A memo slot is the number of a text that is kept once, or 0: then the object stands in the dictionary.
        self._slots, self._texts, self._numbers = array("H"), [""], {"": 0}
        self._objects: dict[int, Any] = {}
        data, actions = self._data, _ACTIONS
        try:
            while True:
                code = data[self.position]
                self.position += 1
                if code == _STOP:
                    return self._stack.pop()
                action = actions[code]
                if action is None:
                    self._refuse_code(code)
                action(self)
        except InputError:
            raise
        except (IndexError, KeyError, struct.error) as error:
            raise InputError("pickle", self._where, f"is damaged or cut off at byte {self.position:,}") from error
        except (TypeError, ValueError, AttributeError, OverflowError) as error:
            raise InputError("pickle", self._where, f"byte {self.position:,}: {error}") from error

    # Arguments of instructions.

    def _take(self, count: int) -> bytes:
        start = self.position
        self.position = stop = start + count
        if stop > self._size:
            raise IndexError(stop)
        return self._data[start:stop]

    def _unpack(self, code: struct.Struct) -> Any:
        start = self.position
        self.position = start + code.size
        return code.unpack_from(self._data, start)[0]

    def _line(self) -> str:
        stop = self._data.find(b"\n", self.position)
        if stop < 0:
            raise IndexError(self.position)
        text = self._data[self.position : stop].decode("utf-8")
        self.position = stop + 1
        return text

    def _since_mark(self) -> list[Any]:
        items, self._stack = self._stack, self._marks.pop()
        return items

    # What instructions do.

    def _push_mark(self) -> None:
        self._marks.append(self._stack)
        self._stack = []

    def _memorise(self, index: int) -> None:
        item = self._stack[-1]
        number = 0
        if type(item) is str:
            number = self._numbers.get(item, 0)
            if not number and len(self._texts) < _TEXTS:
                number = self._numbers[item] = len(self._texts)
                self._texts.append(item)
            if number:
                self._stack[-1] = self._texts[number]
        if index == len(self._slots):
            self._slots.append(number)
            if number:
                return
        elif index < len(self._slots):
            self._slots[index] = 0
        self._objects[index] = item

    def _recall(self, index: int) -> None:
        number = self._slots[index] if index < len(self._slots) else 0
        self._stack.append(self._texts[number] if number else self._objects[index])

    def _global(self, module: str, name: str) -> None:
        full = f"{module}.{name}"
        if _STORAGE.fullmatch(full):
            self._stack.append(_Global(_unread))
        elif full in _GLOBALS:
            self._stack.append(_GLOBALS[full])
        else:
            raise InputError("pickle", self._where, f"names '{full}', which is not among what a table may be made of")

    def _stack_global(self) -> None:
        name, module = self._stack.pop(), self._stack.pop()
        self._global(str(module), str(name))

    def _reduce(self) -> None:
        arguments = self._stack.pop()
        function = self._stack.pop()
        if not isinstance(function, _Global):
            raise TypeError("a call of what is no function")
        self._stack.append(function.call(*arguments))

    def _build(self) -> None:
        state, item = self._stack.pop(), self._stack[-1]
        if isinstance(item, _Type):
            self._stack[-1] = item
            item.dtype = item.dtype.newbyteorder(state[1])
        elif isinstance(item, PickledArray):
            _, shape, kind, fortran, contents = state
            flat = np.frombuffer(contents, kind.dtype)
            item.values = flat.reshape(shape, order="F" if fortran else "C")
        elif not isinstance(item, Unread):
            raise TypeError(f"a state for {type(item).__name__}")

    def _set_item(self) -> None:
        value, key = self._stack.pop(), self._stack.pop()
        target = self._dictionary()
        target[key] = value
        self._simplify(target)

    def _set_items(self) -> None:
        items = self._since_mark()
        target = self._dictionary()
        target.update(zip(items[::2], items[1::2], strict=True))
        self._simplify(target)

    def _dictionary(self) -> dict[Any, Any]:
        target = self._stack[-1]
        if type(target) is not dict:
            raise TypeError(f"entries of {type(target).__name__}")
        return target

    def _append(self, items: list[Any]) -> None:
        target = self._stack[-1]
        if type(target) is not list:
            raise TypeError(f"items of {type(target).__name__}")
        target += items

    def _add(self) -> None:
        items = self._since_mark()
        target = self._stack[-1]
        if type(target) is not set:
            raise TypeError(f"members of {type(target).__name__}")
        target.update(items)

    def _tuple(self, count: int) -> None:
        items = tuple(self._stack[-count:])
        if len(items) != count:
            raise IndexError(count)
        self._stack[-count:] = [items]

    def _dict_of_marked(self) -> None:
        items = self._since_mark()
        self._stack.append(dict(zip(items[::2], items[1::2], strict=True)))
        self._simplify(self._stack[-1])

    def _persistent(self) -> None:
        self._stack[-1] = Unread()

    def _refuse_code(self, code: int) -> NoReturn:
        name = {ord(known.code): known.name for known in pickletools.opcodes}.get(code, f"{code:#04x}")
        rule = f"instruction {name} at byte {self.position - 1:,}, which data do not need, or no pickle at all"
        raise InputError("pickle", self._where, rule)


_U1, _U2, _I4, _U4, _U8, _F8 = (struct.Struct(code) for code in ("<B", "<H", "<i", "<I", "<Q", ">d"))
_STOP = ord(".")

Action = Callable[[PlainReader], Any]


def _pushing(value: Callable[[PlainReader], Any]) -> Action:
    return lambda reader: reader._stack.append(value(reader))


def _collecting(kind: Callable[[list[Any]], Any]) -> Action:
    def collect(reader: PlainReader) -> None:
        items = reader._since_mark()
        reader._stack.append(kind(items))

    return collect


def _text(length: struct.Struct) -> Action:
    return _pushing(lambda reader: reader._take(reader._unpack(length)).decode("utf-8", "surrogatepass"))


def _bytes(length: struct.Struct) -> Action:
    return _pushing(lambda reader: reader._take(reader._unpack(length)))


def _old_text(length: struct.Struct) -> Action:
    return _pushing(lambda reader: reader._take(reader._unpack(length)).decode("latin1"))


def _long(length: struct.Struct) -> Action:
    return _pushing(lambda reader: int.from_bytes(reader._take(reader._unpack(length)), "little", signed=True))


def _number_line(reader: PlainReader) -> int | bool:
    line = reader._line()
    return line == "01" if line in ("00", "01") else int(line)


_MEANINGS: dict[bytes, Action] = {
    b"\x80": lambda r: r._take(1),  # protocol
    b"\x95": lambda r: r._take(8),  # frame
    b"(": PlainReader._push_mark,
    b"0": lambda r: r._stack.pop(),
    b"1": PlainReader._since_mark,
    b"2": lambda r: r._stack.append(r._stack[-1]),
    b"N": lambda r: r._stack.append(None),
    b"\x88": lambda r: r._stack.append(True),
    b"\x89": lambda r: r._stack.append(False),
    b"I": _pushing(_number_line),
    b"J": _pushing(lambda r: r._unpack(_I4)),
    b"K": _pushing(lambda r: r._unpack(_U1)),
    b"M": _pushing(lambda r: r._unpack(_U2)),
    b"L": _pushing(lambda r: int(r._line().rstrip("L"))),
    b"\x8a": _long(_U1),
    b"\x8b": _long(_U4),
    b"F": _pushing(lambda r: float(r._line())),
    b"G": _pushing(lambda r: r._unpack(_F8)),
    b"U": _old_text(_U1),
    b"T": _old_text(_U4),
    b"\x8c": _text(_U1),
    b"X": _text(_U4),
    b"\x8d": _text(_U8),
    b"C": _bytes(_U1),
    b"B": _bytes(_U4),
    b"\x8e": _bytes(_U8),
    b"\x96": _bytes(_U8),
    b")": lambda r: r._stack.append(()),
    b"t": _collecting(tuple),
    b"\x85": lambda r: r._tuple(1),
    b"\x86": lambda r: r._tuple(2),
    b"\x87": lambda r: r._tuple(3),
    b"]": lambda r: r._stack.append([]),
    b"l": _collecting(list),
    b"a": lambda r: r._append([r._stack.pop()]),
    b"e": lambda r: r._append(r._since_mark()),
    b"}": lambda r: r._stack.append({}),
    b"d": PlainReader._dict_of_marked,
    b"s": PlainReader._set_item,
    b"u": PlainReader._set_items,
    b"\x8f": lambda r: r._stack.append(set()),
    b"\x90": PlainReader._add,
    b"\x91": _collecting(frozenset),
    b"c": lambda r: r._global(r._line(), r._line()),
    b"\x93": PlainReader._stack_global,
    b"R": PlainReader._reduce,
    b"b": PlainReader._build,
    b"Q": PlainReader._persistent,
    b"g": lambda r: r._recall(int(r._line())),
    b"h": lambda r: r._recall(r._unpack(_U1)),
    b"j": lambda r: r._recall(r._unpack(_U4)),
    b"p": lambda r: r._memorise(int(r._line())),
    b"q": lambda r: r._memorise(r._unpack(_U1)),
    b"r": lambda r: r._memorise(r._unpack(_U4)),
    b"\x94": lambda r: r._memorise(len(r._slots)),
}
_ACTIONS: list[Action | None] = [_MEANINGS.get(bytes([code])) for code in range(256)]
