"""Python functions as evaluators."""

from __future__ import annotations

import inspect
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from naopt.errors import InputError, NaoptError
from naopt.evaluators.base import Evaluator
from naopt.measurement import Goal, Measurement, MetricInfo, error_name, is_error, missing, number
from naopt.problem import Costs
from naopt.spaces import Architecture, GenericSpace, SearchSpace

SCORE = "score"
"""The metric of a function, unless it is given another name."""
_SHOWN = 60


class UnusableValueError(NaoptError):
    """A function gave something that is no measurement, and it was asked to say so with an exception."""


class RaisedError(BaseException):
    """Carries what an evaluation raised through engines, which make failed measurements of exceptions.

    Attributes:
        error: what was raised.
    """

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


class FunctionEvaluator(Evaluator):
    """Measures with a function of an architecture, or of its values, which gives a number, metrics or a measurement.

    What it gives that is none of these, that lacks ``metric`` or one of ``others``, or of which ``metric`` is not
    finite, is a ``failed`` measurement with the reason. Other metrics that are not finite are left out, and noted.
    Where ``metric`` is ``score`` and a dictionary has no such key, its first value is the score.

    Args:
        space: of the architectures.
        function: called with one argument; also with ``seed``, in 0..2^32-1, if it has a parameter of that name after
            the first. Should depend on nothing else.
        metric: the name of the number that is optimised.
        goal: which direction of it is better.
        as_values: call it with ``space.values(architecture)``, a dictionary by the names of positions, rather than with
            the architecture; by default for generic spaces.
        strict: raise ``UnusableValueError`` for a value that cannot be used.
        others: further metrics that are optimised or limited, and which direction of them is better.

    Raises:
        InputError: something that cannot be called, or not with one argument.
    """

    repeatable = True

    def __init__(
        self,
        space: SearchSpace,
        function: Callable[..., object],
        metric: str = SCORE,
        goal: Goal = "max",
        *,
        as_values: bool | None = None,
        strict: bool = False,
        others: Mapping[str, Goal] | None = None,
    ) -> None:
        if not callable(function):
            raise InputError("evaluate", function, "must be a function of an architecture or of its values")
        self.space, self.default_metric = space, metric
        self.metrics = {name: MetricInfo(way) for name, way in {metric: goal, **(others or {})}.items()}
        self.as_values = isinstance(space, GenericSpace) if as_values is None else as_values
        self._function, self._seeded, self._strict = function, _takes_seed(function), strict
        if not _can_be_called(function, self._seeded):
            what = "a dictionary of values" if self.as_values else "an architecture"
            name = getattr(function, "__qualname__", type(function).__qualname__)
            raise InputError("evaluate", name, f"is called with one argument, {what}, which it cannot be")

    def evaluate(self, architecture: Architecture, seed: int) -> Measurement:
        """Calls the function; its exceptions pass through."""
        given = self.space.values(architecture) if self.as_values else architecture
        started = time.perf_counter()
        try:
            found = self._function(given, seed=seed) if self._seeded else self._function(given)
        except SystemExit as error:
            raise RuntimeError(f"it called sys.exit({error.code!r})") from error
        seconds = time.perf_counter() - started
        if isinstance(found, Measurement):
            return replace(self._checked(found) if found.ok else found, seconds=found.seconds or seconds)
        if isinstance(found, Mapping):
            return self._of_metrics(found, Measurement({SCORE: 0.0}, seconds))
        if number(found) is None:
            what = "not a number, a dictionary of numbers or a Measurement"
            return self._failure(f"gave {_shown(found)}, {what}", seconds)
        return self._of_metrics({self.default_metric: found}, Measurement({SCORE: 0.0}, seconds))

    def _checked(self, found: Measurement) -> Measurement:
        return self._of_metrics(found.metrics, found)

    def _of_metrics(self, given: Mapping[Any, object], rest: Measurement) -> Measurement:
        """A measurement with these metrics, if they are any, and all else from ``rest``."""
        numbers: dict[str, float] = {}
        for name, value in given.items():
            found = number(value)
            if not isinstance(name, str) or found is None:
                what = "is not text" if not isinstance(name, str) else f"is {_shown(value)}, not a number"
                return self._failure(f"gave a dictionary in which {name!r} {what}", rest.seconds)
            numbers[name] = found
        if self.default_metric == SCORE and SCORE not in numbers:
            numbers = {**_first(numbers), **numbers}
        finite = {name: value for name, value in numbers.items() if math.isfinite(value)}
        lacking = next((name for name in self.metrics if name not in numbers), None)
        if lacking is not None:
            return replace(self._failure(missing(lacking, finite), rest.seconds), metrics=finite)
        if self.default_metric not in finite:
            reason = f"{self.default_metric} is {numbers[self.default_metric]}"
            return replace(self._failure(reason, rest.seconds), metrics=finite)
        lost = ", ".join(f"{name}, which is {value}" for name, value in numbers.items() if name not in finite)
        notes = [note for note in (rest.reason, lost and f"without {lost}") if note]
        return replace(rest, metrics=finite, reason="; ".join(notes))

    def _failure(self, reason: str, seconds: float) -> Measurement:
        if self._strict:
            raise UnusableValueError(reason)
        return Measurement(seconds=seconds, status="failed", reason=reason)


class RaisingEvaluator(Evaluator):
    """Another evaluator, whose exceptions end the search instead of becoming failed measurements: for debugging.

    Only for engines that evaluate in the thread of the search.

    Args:
        evaluator: measures.
    """

    def __init__(self, evaluator: Evaluator) -> None:
        self._evaluator = evaluator
        self.space, self.metrics, self.default_metric = evaluator.space, evaluator.metrics, evaluator.default_metric
        self.inline, self.surrogates = evaluator.inline, evaluator.surrogates

    def costs(self) -> Costs | None:
        """See ``Evaluator``."""
        return self._evaluator.costs()

    @property
    def table_contents(self) -> Mapping[str, str]:
        """See ``Evaluator``."""
        return self._evaluator.table_contents

    def prepare(self) -> None:
        """See ``Evaluator``."""
        self._evaluator.prepare()

    def check(self) -> None:
        """See ``Evaluator``."""
        self._evaluator.check()
        self.remarks = self._evaluator.remarks

    def evaluate(self, architecture: Architecture, seed: int) -> Measurement:
        """See ``Evaluator``. Raises ``RaisedError`` with what the evaluator raises; a note says for what."""
        try:
            return self._evaluator.evaluate(architecture, seed)
        except Exception as error:
            error.add_note(f"naopt: raised by the evaluation of {self.space.format(architecture)}, seed {seed}")
            raise RaisedError(error) from error


def _first(numbers: Mapping[str, float]) -> dict[str, float]:
    """The score where none is called so: the first metric that is no standard error, with its own."""
    known = {*numbers, SCORE}
    name = next((name for name in numbers if not is_error(name, known)), None)
    if name is None:
        return {}
    errors = {error_name(SCORE): numbers[error_name(name)]} if error_name(name) in numbers else {}
    return {SCORE: numbers[name], **errors}


def _takes_seed(function: Callable[..., object]) -> bool:
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # some that are not written in Python
        return False
    return any(p.name == "seed" and p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY) for p in parameters[1:])


def _can_be_called(function: Callable[..., object], seeded: bool) -> bool:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some that are not written in Python
        return True
    try:
        signature.bind({}, seed=0) if seeded else signature.bind({})
    except TypeError:
        return False
    return True


def _shown(value: object) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
