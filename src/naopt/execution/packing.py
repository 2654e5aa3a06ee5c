"""Evaluators as bytes, for other processes."""

from __future__ import annotations

import inspect
import pickle
from collections.abc import Iterator
from types import FunctionType, MethodType

import cloudpickle

from naopt.errors import NaoptError
from naopt.evaluators.base import Evaluator

_DEPTH = 4
"""How far what cannot be pickled is followed into what it consists of, to name it."""


class UnpicklableError(NaoptError):
    """An evaluator cannot be sent to another process; its text names what of it."""


def pack(evaluator: Evaluator) -> bytes:
    """The evaluator for ``unpack`` in another process.

    Functions and classes of ``__main__`` (a script, a notebook, standard input) are packed by value, all others by
    name.

    Raises:
        UnpicklableError: it cannot be.
    """
    error = _problem(evaluator)
    if isinstance(error, bytes):
        return error
    where = _culprit("the evaluator", evaluator, _DEPTH)
    raise UnpicklableError(" ".join(f"{where} cannot be pickled ({type(error).__name__}: {error})".split()))


def unpack(packed: bytes) -> Evaluator:
    """The evaluator that was packed, not prepared."""
    found = pickle.loads(packed)  # noqa: S301 - what this program packed itself
    assert isinstance(found, Evaluator)
    return found


def _problem(value: object) -> bytes | Exception:
    """What pickling gives, or why it does not."""
    try:
        packed: bytes = cloudpickle.dumps(value)
    except Exception as error:  # whatever a class's own way of being pickled raises
        return error
    return packed


def _culprit(name: str, value: object, depth: int) -> str:
    for part, inner in _parts(value) if depth else ():
        if not isinstance(_problem(inner), bytes):
            return _culprit(f"{part} of {name}", inner, depth - 1)
    return name


def _parts(value: object) -> Iterator[tuple[str, object]]:
    """What a value consists of, with names."""
    if isinstance(value, MethodType):
        yield "the object", value.__self__
    elif isinstance(value, FunctionType):
        variables = inspect.getclosurevars(value)
        for name, inner in {**variables.globals, **variables.nonlocals}.items():
            yield f"variable '{name}'", inner
    elif hasattr(value, "__dict__") and not isinstance(value, type):
        for name, inner in vars(value).items():
            yield (f"function '{getattr(inner, '__name__', name)}'" if callable(inner) else f"'{name}'"), inner
