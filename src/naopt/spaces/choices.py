"""Values of choices as they are given in Python: text, numbers, booleans, ``None``; and the labels that stand for them.

A label is the name of a choice in texts, tables, drawings and vocabularies. Where all choices are text they are their
own labels. Otherwise labels are JSON (``32``, ``0.1``, ``true``, ``null``), but for text that does not read like one of
these and begins with no quote, which stays as it is: so ``1``, ``1.0``, ``True`` and ``"1"`` have labels of their own.
"""

from __future__ import annotations

import json
import math
import operator
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from naopt.errors import InputError

Value = str | int | float | bool | None

_TYPES = (str, int, float, bool, type(None))
_MOST = 1024
"""Choices of a position: every one is a column of what models see."""
_BITS = 1024
"""Of whole numbers: those of any floating-point number."""
_NAMED = 12
_LETTERS = 80
_LIKE_JSON = re.compile(r'"|(true|false|null|-?\d+(\.\d+)?([eE][+-]?\d+)?)\Z')


@dataclass(frozen=True, slots=True)
class Choices:
    """What one position may be: 1 to 1,024 distinct values, and whether their order means something.

    Values may be of different types, and differ also if only their types do: ``1``, ``1.0``, ``True``, ``"1"``. Scalars
    of numpy become Python's.

    Raises:
        InputError: no list, no value, too many, two that are equal, or one that is not text, a finite number, a boolean
            or ``None``.
    """

    values: tuple[Value, ...]
    ordered: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", parse_values("choices", self.values))


def choice(values: Sequence[Value]) -> Choices:
    """One of the values, whose order means nothing. Raises ``InputError`` as ``Choices``."""
    return Choices(values)  # type: ignore[arg-type]


def ordinal(values: Sequence[Value]) -> Choices:
    """One of the values, which are given in order: a latent model sees their ranks. Raises as ``Choices``."""
    return Choices(values, ordered=True)  # type: ignore[arg-type]


def integer(low: int, high: int, step: int = 1) -> Choices:
    """A whole number from ``low`` up to ``high``, both included, in steps; ordered.

    Raises:
        InputError: something else than whole numbers, ``low > high``, ``step < 1``, or more than 1,024 numbers.
    """
    given = {}
    for name, number in (("low", low), ("high", high), ("step", step)):
        try:
            given[name] = operator.index(number)
        except TypeError as error:
            raise InputError(f"integer: {name}", number, "must be a whole number") from error
        if isinstance(number, bool | np.bool_):
            raise InputError(f"integer: {name}", number, "must be a whole number")
    if given["low"] > given["high"]:
        raise InputError("integer: low", given["low"], f"must not be above high, which is {given['high']}")
    if given["step"] < 1:
        raise InputError("integer: step", given["step"], "must be at least 1")
    return ordinal(range(given["low"], given["high"] + 1, given["step"]))


def as_choices(name: str, given: object) -> Choices:
    """Choices from what a space may be given for a position: besides ``Choices`` a list, a range or ``bool``.

    Raises:
        InputError: anything else, or values that ``Choices`` refuses.
    """
    if isinstance(given, Choices):
        return given
    if given is bool:
        return Choices((False, True))
    return Choices(parse_values(f"choices of {name}", given), ordered=isinstance(given, range))


def parse_values(what: str, given: object) -> tuple[Value, ...]:
    """Distinct values from a list, tuple, range or numpy row; ``what`` they are goes into the error."""
    if isinstance(given, np.ndarray) and given.ndim == 1:
        given = given.tolist()
    if not isinstance(given, list | tuple | range):
        raise InputError(what, described(given), "must be a list of values, such as [16, 32, 64]")
    if not given:
        raise InputError(what, "", "needs at least one value")
    if len(given) > _MOST:
        raise InputError(what, f"{len(given)} values", f"there may be {_MOST}; take larger steps, or split it")
    values = tuple(parse_value(what, value) for value in given)
    names = labels(values)
    for index, name in enumerate(names):
        if name in names[:index]:
            raise InputError(what, shown(list(map(described, values))), f"{described(values[index])} stands twice")
    return values


def parse_value(what: str, value: object) -> Value:
    """The value itself; a scalar of numpy as Python's. Raises ``InputError`` if no choice can be like this."""
    if isinstance(value, np.generic):
        value = value.item()
    if type(value) not in _TYPES:
        raise InputError(what, described(value), "a value must be text, a number, a boolean or None")
    if isinstance(value, float) and not math.isfinite(value):
        raise InputError(what, described(value), "a number must be finite")
    if isinstance(value, int) and value.bit_length() > _BITS:
        raise InputError(what, f"{value.bit_length()} bits", f"a whole number may have {_BITS} bits")
    if isinstance(value, str) and not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise InputError(what, ascii(value), "text must be valid unicode") from error
    return value  # type: ignore[return-value]


def label(value: Value) -> str:
    """The label of a value where there are other values than text; see above."""
    if isinstance(value, str) and not _LIKE_JSON.match(value):
        return value
    return json.dumps(value)


def labels(values: Sequence[Value]) -> tuple[str, ...]:
    """The labels of a position's values, in their order."""
    texts = tuple(value for value in values if isinstance(value, str))
    return texts if len(texts) == len(values) else tuple(map(label, values))


def shown(words: Sequence[str]) -> str:
    """Words in a message: the first twelve, and how many there are."""
    first = ", ".join(words[:_NAMED])
    return first if len(words) <= _NAMED else f"{first}, ... ({len(words)} in all)"


def described(value: object) -> str:
    """A value in a message, of at most 80 letters; text in quotes."""
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)
    return text if len(text) <= _LETTERS else f"{text[:_LETTERS]}..."
