"""What an evaluation found."""

from __future__ import annotations

import math
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from naopt.errors import InputError, UnknownNameError, nearest

Status = Literal["ok", "failed", "invalid", "timeout", "oom", "diverged", "interrupted"]
Goal = Literal["max", "min"]

STATUSES: tuple[Status, ...] = get_args(Status)
MOST_SECONDS = 1e15
"""That one evaluation may take: thirty million years, of which a sum is still a number."""
GOALS: tuple[Goal, ...] = get_args(Goal)
_ERROR = "_se"


@dataclass(frozen=True, slots=True)
class MetricInfo:
    """Which direction of a metric is better, and its unit. Raises ``InputError`` for another goal, or no text."""

    goal: Goal = "max"
    unit: str = ""

    def __post_init__(self) -> None:
        check_goal("goal of a metric", self.goal)
        if not isinstance(self.unit, str):
            raise InputError("unit of a metric", self.unit, "must be text")


def check_goal(what: str, goal: object) -> None:
    """Raises ``InputError``, with the nearest that there is, for anything but ``max`` and ``min``."""
    if not isinstance(goal, str):
        raise InputError(what, goal, f"must be {' or '.join(GOALS)}")
    if goal not in GOALS:
        raise UnknownNameError(what, goal, GOALS)


def error_name(metric: str) -> str:
    """What the standard error of a metric is called: a metric of its own, ``valid_acc_se``, in the same unit."""
    return metric + _ERROR


def is_error(name: str, names: Container[str]) -> bool:
    """Whether a metric is the standard error of another one among ``names``."""
    return name.endswith(_ERROR) and name.removesuffix(_ERROR) in names


def number(value: object) -> float | None:
    """A number of any kind, also a scalar of torch or numpy, as a float; ``None`` for what is none, and for booleans.

    A whole number that no float can hold is infinite.
    """
    if type(value) is float:
        return value
    if isinstance(value, bool | str) or getattr(value, "ndim", 0) != 0:
        return None
    if str(getattr(value, "dtype", "")) in ("bool", "torch.bool"):
        return None
    try:
        return float(value) if hasattr(type(value), "__float__") else None  # type: ignore[arg-type]
    except OverflowError:
        return math.inf
    except (TypeError, ValueError):
        return None


@dataclass(frozen=True, slots=True)
class Measurement:
    """Metrics by name, cost in seconds, and how the evaluation ended.

    ``ok`` has at least one metric and only finite ones; every other status has a one-line reason, and may hold the
    finite metrics that were known before the failure. A reason beside ``ok`` is a note on how it came about (a smaller
    batch, a second attempt). A NaN never looks like a number: a table's NaN is left out.

    Attributes:
        metrics: finite numbers by name; floats, whatever numbers were given.
        seconds: what it took.
        status: how it ended.
        reason: why, in one line.
        details: traceback and last lines of output of what failed.
        level: of fidelity at which a searcher is told that it was measured; ``None``: the full one.

    Raises:
        ValueError: metrics that are not numbers by name, or not finite, negative standard errors, seconds that are not,
            are negative or above 1e15, ``ok`` without metrics, another status without a reason, or a reason that is not
            text.
    """

    metrics: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    status: Status = "ok"
    reason: str = ""
    details: str = ""
    level: int | None = None

    def __post_init__(self) -> None:
        if self.status not in STATUSES:
            raise ValueError(f"status {self.status!r} is not one of {', '.join(STATUSES)}")
        seconds = number(self.seconds)
        if seconds is None or not 0 <= seconds <= MOST_SECONDS:
            raise ValueError(f"seconds must be finite and not negative, at most {MOST_SECONDS:g}, got {self.seconds!r}")
        object.__setattr__(self, "seconds", seconds)
        object.__setattr__(self, "metrics", _checked(self.metrics))
        for name in ("reason", "details"):
            if not isinstance(getattr(self, name), str):
                raise ValueError(f"{name} must be text, got {getattr(self, name)!r}")
        if self.status == "ok" and not self.metrics:
            raise ValueError("an 'ok' measurement needs at least one metric")
        if self.status != "ok" and not self.reason:
            raise ValueError(f"a {self.status!r} measurement needs a reason")

    @property
    def ok(self) -> bool:
        """Whether the evaluation ended as it should."""
        return self.status == "ok"

    def error(self, metric: str) -> float | None:
        """Standard error of a metric; ``None`` where what measured it stated none."""
        return self.metrics.get(error_name(metric))


def written(metrics: Mapping[str, float], metric: str, digits: int = 6) -> str:
    """A metric to so many digits, and its standard error to two where it has one: ``75.556 ± 4.5``."""
    value, error = f"{metrics[metric]:.{digits}g}", metrics.get(error_name(metric))
    return value if error is None else f"{value} ± {error:.2g}"


def missing(metric: str, given: Iterable[str]) -> str:
    """Why a measurement without the metric that is optimised is none, with the nearest of those that it has."""
    names = list(given)
    near = nearest(metric, names)
    return f"gave no {metric}, but {', '.join(names) or 'nothing'}{f': did you mean {near}?' if near else ''}"


def _checked(metrics: object) -> dict[str, float]:
    if not isinstance(metrics, Mapping):
        raise ValueError(f"metrics must be numbers by name, such as {{'accuracy': 0.9}}, got {metrics!r}")
    found: dict[str, float] = {}
    for name, value in metrics.items():
        if not isinstance(name, str):
            raise ValueError(f"the name of a metric must be text, got {name!r}")
        parsed = number(value)
        if parsed is None:
            raise ValueError(f"metric {name!r} is {value!r}, not a number")
        if not math.isfinite(parsed):
            raise ValueError(f"metric {name!r} is not finite; leave it out and give the reason")
        found[name] = parsed
    for name, value in found.items():
        if value < 0 and is_error(name, found):
            raise ValueError(f"metric {name!r} is {value!r}; a standard error is not negative")
    return found
