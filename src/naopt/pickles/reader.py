"""Reads pickles without Python's own reader, which looks up any class or function by name and calls it.

This one is an interpreter of the instructions that data need: containers, numbers, text and, through functions of
``naopt.pickles.names``, what a list of names allows. A pickle that names anything else is refused, with the name.

It reads from a buffer, so that a mapped file is never in memory as a whole, and calls ``simplify`` on every dictionary
as it is filled: what that removes is not kept, whatever the size of the file.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from mmap import mmap
from typing import Any

from naopt.errors import InputError
from naopt.pickles.instructions import ACTIONS, STOP
from naopt.pickles.machine import Machine
from naopt.pickles.names import Names


class PlainReader:
    """Reads the pickles that follow each other in a buffer. Text of Python 2 is read as Latin-1.

    Args:
        data: a mapped file, or bytes.
        where: the file, for messages.
        names: what they may name.
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
        names: Names,
        simplify: Callable[[dict[Any, Any]], None] = lambda _: None,
        start: int = 0,
    ) -> None:
        self._data, self._where, self._names, self._simplify, self.position = data, where, names, simplify, start

    def read(self) -> Any:
        """The next value.

        Raises:
            InputError: the pickle names a class that is not allowed, has instructions that data do not need, or is
                damaged; says which.
        """
        machine = Machine(self._data, self._where, self._names, self._simplify, self.position)
        data, actions = self._data, ACTIONS
        try:
            while True:
                code = data[machine.position]
                machine.position += 1
                if code == STOP:
                    self.position = machine.position
                    return machine.stack.pop()
                action = actions[code]
                if action is None:
                    machine.refuse_code(code)
                action(machine)
        except InputError:
            raise
        except (IndexError, KeyError, struct.error) as error:
            raise InputError("pickle", self._where, f"is damaged or cut off at byte {machine.position:,}") from error
        except (TypeError, ValueError, AttributeError, OverflowError) as error:
            raise InputError("pickle", self._where, f"byte {machine.position:,}: {error}") from error
