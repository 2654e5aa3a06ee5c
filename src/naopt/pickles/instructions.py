"""The instructions of pickles that data need: the protocols 0 to 5 of PEP 3154 and PEP 574 without shared buffers."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from naopt.pickles.machine import Machine

_U1, _U2, _I4, _U4, _U8, _F8 = (struct.Struct(code) for code in ("<B", "<H", "<i", "<I", "<Q", ">d"))
STOP = ord(".")
"""Ends a pickle; what is on top of the stack is its value."""

Action = Callable[[Machine], Any]


def _pushing(value: Callable[[Machine], Any]) -> Action:
    return lambda machine: machine.stack.append(value(machine))


def _collecting(kind: Callable[[list[Any]], Any]) -> Action:
    def collect(machine: Machine) -> None:
        items = machine.since_mark()
        machine.stack.append(kind(items))

    return collect


def _text(length: struct.Struct) -> Action:
    return _pushing(lambda machine: machine.take(machine.unpack(length)).decode("utf-8", "surrogatepass"))


def _bytes(length: struct.Struct) -> Action:
    return _pushing(lambda machine: machine.take(machine.unpack(length)))


def _old_text(length: struct.Struct) -> Action:
    return _pushing(lambda machine: machine.take(machine.unpack(length)).decode("latin1"))


def _long(length: struct.Struct) -> Action:
    return _pushing(lambda machine: int.from_bytes(machine.take(machine.unpack(length)), "little", signed=True))


def _number_line(machine: Machine) -> int | bool:
    line = machine.line()
    return line == "01" if line in ("00", "01") else int(line)


_MEANINGS: dict[bytes, Action] = {
    b"\x80": lambda r: r.take(1),  # protocol
    b"\x95": lambda r: r.take(8),  # frame
    b"(": Machine.push_mark,
    b"0": lambda r: r.stack.pop(),
    b"1": Machine.since_mark,
    b"2": lambda r: r.stack.append(r.stack[-1]),
    b"N": lambda r: r.stack.append(None),
    b"\x88": lambda r: r.stack.append(True),
    b"\x89": lambda r: r.stack.append(False),
    b"I": _pushing(_number_line),
    b"J": _pushing(lambda r: r.unpack(_I4)),
    b"K": _pushing(lambda r: r.unpack(_U1)),
    b"M": _pushing(lambda r: r.unpack(_U2)),
    b"L": _pushing(lambda r: int(r.line().rstrip("L"))),
    b"\x8a": _long(_U1),
    b"\x8b": _long(_U4),
    b"F": _pushing(lambda r: float(r.line())),
    b"G": _pushing(lambda r: r.unpack(_F8)),
    b"U": _old_text(_U1),
    b"T": _old_text(_U4),
    b"\x8c": _text(_U1),
    b"X": _text(_U4),
    b"\x8d": _text(_U8),
    b"C": _bytes(_U1),
    b"B": _bytes(_U4),
    b"\x8e": _bytes(_U8),
    b"\x96": _bytes(_U8),
    b")": lambda r: r.stack.append(()),
    b"t": _collecting(tuple),
    b"\x85": lambda r: r.group(1),
    b"\x86": lambda r: r.group(2),
    b"\x87": lambda r: r.group(3),
    b"]": lambda r: r.stack.append([]),
    b"l": _collecting(list),
    b"a": lambda r: r.append([r.stack.pop()]),
    b"e": lambda r: r.append(r.since_mark()),
    b"}": lambda r: r.stack.append({}),
    b"d": Machine.dict_of_marked,
    b"s": Machine.set_item,
    b"u": Machine.set_items,
    b"\x8f": lambda r: r.stack.append(set()),
    b"\x90": Machine.add,
    b"\x91": _collecting(frozenset),
    b"c": lambda r: r.name(r.line(), r.line()),
    b"\x93": Machine.stack_global,
    b"R": Machine.reduce,
    b"b": Machine.build,
    b"Q": Machine.persistent,
    b"g": lambda r: r.recall(int(r.line())),
    b"h": lambda r: r.recall(r.unpack(_U1)),
    b"j": lambda r: r.recall(r.unpack(_U4)),
    b"p": lambda r: r.memorise(int(r.line())),
    b"q": lambda r: r.memorise(r.unpack(_U1)),
    b"r": lambda r: r.memorise(r.unpack(_U4)),
    b"\x94": Machine.memorise_next,
}
ACTIONS: list[Action | None] = [_MEANINGS.get(bytes([code])) for code in range(256)]
"""By code; ``None`` for what data do not need."""
