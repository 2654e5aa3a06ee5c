"""The state of a pickle that is being read, and what instructions do to it."""

from __future__ import annotations

import pickletools
import struct
from array import array
from collections.abc import Callable
from mmap import mmap
from typing import Any, NoReturn

import numpy as np

from naopt.errors import InputError
from naopt.pickles.names import ArrayType, Names, PickledArray, Unread

_TEXTS = 2**16 - 1
"""How many different texts are kept once only; benchmarks repeat a few hundred keys millions of times."""


class _Global:
    """A name that a pickle may call, and what is done then."""

    def __init__(self, call: Callable[..., Any]) -> None:
        self.call = call


class Machine:
    """Stack, marks and memo of one pickle.

    Args:
        data: see ``PlainReader``.
        where: likewise.
        names: likewise.
        simplify: likewise.
        position: of the pickle's first instruction.

    Attributes:
        position: of the next instruction.
        stack: above the innermost mark.
    """

    def __init__(
        self,
        data: bytes | mmap,
        where: str,
        names: Names,
        simplify: Callable[[dict[Any, Any]], None],
        position: int,
    ) -> None:
        self._data, self._where, self._names, self._simplify, self.position = data, where, names, simplify, position
        self._size = len(data)
        self.stack: list[Any] = []
        self._marks: list[list[Any]] = []
        # A memo slot is the number of a text that is kept once, or 0: then the object stands in the dictionary.
        self._slots, self._texts, self._numbers = array("H"), [""], {"": 0}
        self._objects: dict[int, Any] = {}

    # Arguments of instructions.

    def take(self, count: int) -> bytes:
        """So many bytes."""
        start = self.position
        self.position = stop = start + count
        if stop > self._size:
            raise IndexError(stop)
        return self._data[start:stop]

    def unpack(self, code: struct.Struct) -> Any:
        """A number."""
        start = self.position
        self.position = start + code.size
        return code.unpack_from(self._data, start)[0]

    def line(self) -> str:
        """Text up to the end of the line."""
        stop = self._data.find(b"\n", self.position)
        if stop < 0:
            raise IndexError(self.position)
        text = self._data[self.position : stop].decode("utf-8")
        self.position = stop + 1
        return text

    def since_mark(self) -> list[Any]:
        """What was put on the stack since the last mark; the stack below it is the stack again."""
        items, self.stack = self.stack, self._marks.pop()
        return items

    # What instructions do.

    def push_mark(self) -> None:
        """Begins a new stack on top."""
        self._marks.append(self.stack)
        self.stack = []

    def memorise(self, index: int) -> None:
        """Numbers what is on top."""
        item = self.stack[-1]
        number = 0
        if type(item) is str:
            number = self._numbers.get(item, 0)
            if not number and len(self._texts) < _TEXTS:
                number = self._numbers[item] = len(self._texts)
                self._texts.append(item)
            if number:
                self.stack[-1] = self._texts[number]
        if index == len(self._slots):
            self._slots.append(number)
            if number:
                return
        elif index < len(self._slots):
            self._slots[index] = 0
        self._objects[index] = item

    def memorise_next(self) -> None:
        """The same with the next number."""
        self.memorise(len(self._slots))

    def recall(self, index: int) -> None:
        """Puts what has that number on top."""
        number = self._slots[index] if index < len(self._slots) else 0
        self.stack.append(self._texts[number] if number else self._objects[index])

    def name(self, module: str, name: str) -> None:
        """Puts what stands for a name on top. Raises ``InputError`` if nothing may."""
        full = f"{module}.{name}"
        call = self._names(full)
        if call is None:
            raise InputError("pickle", self._where, f"names '{full}', which is not among what it may be made of")
        self.stack.append(_Global(call))

    def stack_global(self) -> None:
        """The same with module and name from the stack."""
        name, module = self.stack.pop(), self.stack.pop()
        self.name(str(module), str(name))

    def reduce(self) -> None:
        """Calls what stands for a name."""
        arguments = self.stack.pop()
        function = self.stack.pop()
        if not isinstance(function, _Global):
            raise TypeError("a call of what is no function")
        self.stack.append(function.call(*arguments))

    def build(self) -> None:
        """Fills what is on top but one."""
        state, item = self.stack.pop(), self.stack[-1]
        if isinstance(item, ArrayType):
            self.stack[-1] = item
            item.dtype = item.dtype.newbyteorder(state[1])
        elif isinstance(item, PickledArray):
            _, shape, kind, fortran, contents = state
            # Python 2 wrote bytes as text.
            flat = np.frombuffer(contents.encode("latin1") if isinstance(contents, str) else contents, kind.dtype)
            item.values = flat.reshape(shape, order="F" if fortran else "C")
        elif not isinstance(item, Unread):
            raise TypeError(f"a state for {type(item).__name__}")

    def set_item(self) -> None:
        """Adds an entry to a dictionary."""
        value, key = self.stack.pop(), self.stack.pop()
        target = self._dictionary()
        target[key] = value
        self._simplify(target)

    def set_items(self) -> None:
        """Adds all since the mark to a dictionary."""
        items = self.since_mark()
        target = self._dictionary()
        target.update(zip(items[::2], items[1::2], strict=True))
        self._simplify(target)

    def _dictionary(self) -> dict[Any, Any]:
        target = self.stack[-1]
        if type(target) is not dict:
            raise TypeError(f"entries of {type(target).__name__}")
        return target

    def append(self, items: list[Any]) -> None:
        """Adds items to a list."""
        target = self.stack[-1]
        if type(target) is not list:
            raise TypeError(f"items of {type(target).__name__}")
        target += items

    def add(self) -> None:
        """Adds all since the mark to a set."""
        items = self.since_mark()
        target = self.stack[-1]
        if type(target) is not set:
            raise TypeError(f"members of {type(target).__name__}")
        target.update(items)

    def group(self, count: int) -> None:
        """Makes a tuple of so many."""
        items = tuple(self.stack[-count:])
        if len(items) != count:
            raise IndexError(count)
        self.stack[-count:] = [items]

    def dict_of_marked(self) -> None:
        """Makes a dictionary of all since the mark."""
        items = self.since_mark()
        self.stack.append(dict(zip(items[::2], items[1::2], strict=True)))
        self._simplify(self.stack[-1])

    def persistent(self) -> None:
        """Leaves a place for what is not in the pickle."""
        self.stack[-1] = Unread()

    def refuse_code(self, code: int) -> NoReturn:
        """Raises ``InputError``: an instruction that is not known here."""
        name = {ord(known.code): known.name for known in pickletools.opcodes}.get(code, f"{code:#04x}")
        rule = f"instruction {name} at byte {self.position - 1:,}, which data do not need, or no pickle at all"
        raise InputError("pickle", self._where, rule)
