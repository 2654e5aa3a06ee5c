"""What a search is to find: objectives, and limits that have to be kept."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

from naopt.errors import InputError
from naopt.fidelity import Fidelity
from naopt.measurement import GOALS, Goal, Measurement, MetricInfo, check_goal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from naopt.spaces import Architecture

Bound = Literal["max", "min"]
_LIMIT = re.compile(r"([^<>=]+)(<=|>=)([^<>=]+)")
_GOALS: dict[str, Goal] = {each: each for each in GOALS}
_GOAL_WORDS = re.compile(r"(max|min)(imum|imal|imi[sz](e|ing|ation))?", re.IGNORECASE)
"""What people write for a goal, and what no metric is called."""


@dataclass(frozen=True, slots=True)
class Objective:
    """The metric that is optimised and its direction. Raises ``InputError`` for no name, and another goal."""

    metric: str
    goal: Goal = "max"

    def __post_init__(self) -> None:
        if not isinstance(self.metric, str) or not self.metric:
            raise InputError("metric of an objective", self.metric, "must be its name")
        check_goal(f"goal of objective {self.metric}", self.goal)

    @property
    def sign(self) -> int:
        """What turns the metric so that larger is better, and back: 1 or -1."""
        return 1 if self.goal == "max" else -1

    def score(self, measurement: Measurement) -> float | None:
        """The metric turned so that larger is better; ``None`` if it was not measured."""
        value = measurement.metrics.get(self.metric)
        return None if value is None or not measurement.ok else self.sign * value


class Named(NamedTuple):
    """An objective as people write it: ``valid_acc``, ``min:latency_ms``, ``latency_ms:min``.

    Attributes:
        metric: its name; empty for what is left to whatever measures.
        goal: ``None``: what measures knows it.
    """

    metric: str
    goal: Goal | None = None

    @classmethod
    def split(cls, text: str) -> Named:
        """A goal after the last colon, else one before the first, and the rest; text with neither is a metric."""
        metric, colon, goal = text.rpartition(":")
        if not (colon and metric and goal in _GOALS):
            goal, colon, metric = text.partition(":")
        return cls(metric, _GOALS[goal]) if colon and metric and goal in _GOALS else cls(text)

    @classmethod
    def parse(cls, text: object, known: Collection[str] = (), *, unnamed: bool = False) -> Named:
        """One objective.

        Args:
            text: as it is written.
            known: names of metrics, which are these whatever colons they have.
            unnamed: whether a goal alone will do.

        Raises:
            InputError: no metric, or another word than a goal beside the colon.
        """
        rule = "must be METRIC, min:METRIC, max:METRIC or METRIC:min" + (", min or max" if unnamed else "")
        if not isinstance(text, str):
            raise InputError("objective", text, rule)
        text = text.strip()
        if text in known:
            return cls(text)
        if unnamed and text in _GOALS:
            return cls("", _GOALS[text])
        found = cls.split(text)
        plain = found.goal is None and ":" not in text and text and not _GOAL_WORDS.fullmatch(text)
        if plain or (found.goal is not None and found.metric not in _GOALS):
            return cls(found.metric.strip(), found.goal)
        goal, colon, metric = text.partition(":")
        word = _GOAL_WORDS.fullmatch(goal)
        meant = word[1].lower() + (colon and f":{metric}") if word and (metric or unnamed) else ""
        raise InputError("objective", text, rule + (f"; did you mean '{meant}'?" if meant else ""))

    def among(self, infos: Mapping[str, MetricInfo]) -> Objective:
        """The objective, of a metric that is there. Raises ``InputError`` for another goal than the metric's."""
        goal = infos[self.metric].goal
        if self.goal not in (None, goal):
            raise InputError("objective", str(self), f"{self.metric} is to be {goal}imised, says what measures it")
        return Objective(self.metric, goal)

    def __str__(self) -> str:
        return self.metric if self.goal is None else f"{self.goal}:{self.metric}"


def named_objectives(text: str, known: Collection[str] = ()) -> tuple[Named, ...]:
    """Objectives, separated by commas; none for no text. Raises ``InputError`` as ``Named.parse``."""
    return tuple(Named.parse(part, known) for part in text.split(",")) if text else ()


@dataclass(frozen=True, slots=True)
class Limit:
    """A bound on a metric that every architecture has to keep. Raises ``InputError`` for no name, or no finite number.

    Attributes:
        metric: what is limited.
        bound: ``max``: at most ``value``; ``min``: at least.
        value: in the metric's unit.
    """

    metric: str
    bound: Bound
    value: float

    def __post_init__(self) -> None:
        if not isinstance(self.metric, str) or not self.metric:
            raise InputError("metric of a limit", self.metric, "must be its name")
        check_goal(f"limit of {self.metric}", self.bound)
        if isinstance(self.value, bool) or not isinstance(self.value, int | float) or not math.isfinite(self.value):
            raise InputError(f"limit of {self.metric}", self.value, "must be a finite number")

    @classmethod
    def parse(cls, text: object, what: str = "limit") -> Limit:
        """``METRIC<=N`` or ``METRIC>=N``. Raises ``InputError`` for anything else."""
        found = _LIMIT.fullmatch(text) if isinstance(text, str) else None
        try:
            value = float(found[3]) if found else math.nan
        except ValueError:
            value = math.nan
        if found is None or not math.isfinite(value):
            raise InputError(what, text, "must be METRIC<=N or METRIC>=N")
        return cls(found[1].strip(), "max" if found[2] == "<=" else "min", value)

    def __str__(self) -> str:
        return f"{self.metric} {'<=' if self.bound == 'max' else '>='} {self.value:g}"

    def excess(self, value: float) -> float:
        """By how much a value breaks it, in the metric's unit; 0 if it is kept."""
        return max(0.0, value - self.value if self.bound == "max" else self.value - value)

    def share(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """By how much values ``(n,)`` break it, in shares of the limit (of 1 if it is 0); infinite where one is NaN."""
        import numpy as np

        beyond = np.maximum(0.0, values - self.value if self.bound == "max" else self.value - values)
        return np.where(np.isnan(values), np.inf, beyond / (abs(self.value) or 1.0))

    def met(self, metrics: Mapping[str, float]) -> bool | None:
        """Whether it is kept; ``None`` if the metric is not known."""
        return None if self.metric not in metrics else self.excess(metrics[self.metric]) == 0


class Costs(Protocol):
    """Metrics that are known of an architecture without evaluating it, exactly."""

    @property
    def metrics(self) -> Collection[str]:
        """Their names."""

    def of(self, architectures: Sequence[Architecture]) -> Mapping[str, NDArray[np.float64]]:
        """By name ``(n,)``; NaN where an architecture has none."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wanted: one objective or several, and any number of limits.

    Attributes:
        objectives: at least one; of several, what is searched for is the set of best trade-offs between them.
        limits: which all have to be kept.
        costs: what is known without an evaluation; no part of what is wanted, so it does not count in comparisons.
        priors: what is known before and may tell something of the objectives, on any scale and in any direction. It
            costs no query, is no part of what is wanted either, and searchers that learn find out what it is worth.
        slow_priors: whether a look at them takes time: then only the most promising are looked at.
        fidelity: cheaper versions of the evaluation, if there are any; likewise.
        repeats: how often an architecture may be measured, if a searcher thinks that worth a query; likewise.

    Raises:
        InputError: no objective, anything that is named twice, limits that nothing can keep, or repeats with several
            objectives or fidelities.
    """

    objectives: tuple[Objective, ...]
    limits: tuple[Limit, ...] = ()
    costs: Costs | None = field(default=None, compare=False, repr=False)
    priors: Costs | None = field(default=None, compare=False, repr=False)
    slow_priors: bool = field(default=False, compare=False, repr=False)
    fidelity: Fidelity | None = field(default=None, compare=False, repr=False)
    repeats: int = field(default=1, compare=False, repr=False)

    def __post_init__(self) -> None:
        if not self.objectives:
            raise InputError("objective", "none", "a search needs at least one")
        names = [objective.metric for objective in self.objectives]
        for name in names:
            if names.count(name) > 1:
                raise InputError("objective", name, "is named twice")
        if self.repeats > 1 and (len(self.objectives) > 1 or self.fidelity):
            raise InputError("remeasure", self.repeats, "is for one objective without fidelities")
        bounds: dict[tuple[str, Bound], float] = {}
        for limit in self.limits:
            if (limit.metric, limit.bound) in bounds:
                raise InputError(f"limit --{limit.bound}", limit.metric, "is given twice")
            bounds[limit.metric, limit.bound] = limit.value
        for (metric, bound), value in bounds.items():
            least = bounds.get((metric, "min"), -math.inf)
            if bound == "max" and least > value:
                both = f"at least {least:g}, at most {value:g}"
                raise InputError(f"limit of {metric}", both, "contradict each other")

    @classmethod
    def of(cls, wanted: Problem | Objective) -> Problem:
        """A problem; an objective alone is one."""
        return wanted if isinstance(wanted, Problem) else cls((wanted,))

    @property
    def objective(self) -> Objective:
        """The first one."""
        return self.objectives[0]

    @property
    def metrics(self) -> tuple[str, ...]:
        """Of objectives and limits, each once: all that a searcher may see."""
        names = [*(o.metric for o in self.objectives), *(limit.metric for limit in self.limits)]
        return tuple(dict.fromkeys(names))

    @property
    def ordinary(self) -> bool:
        """Whether it is one objective without limits."""
        return len(self.objectives) == 1 and not self.limits

    @property
    def known(self) -> tuple[Limit, ...]:
        """Limits that are checked without an evaluation."""
        names = () if self.costs is None else self.costs.metrics
        return tuple(limit for limit in self.limits if limit.metric in names)

    @property
    def measured(self) -> tuple[Limit, ...]:
        """The other limits."""
        known = self.known
        return tuple(limit for limit in self.limits if limit not in known)

    def broken(self, metrics: Mapping[str, float]) -> tuple[Limit, ...]:
        """Limits that are not kept, or of which that is not known."""
        return tuple(limit for limit in self.limits if not limit.met(metrics))

    def feasible(self, measurement: Measurement) -> bool:
        """Whether an evaluation ended well, gave every objective, and keeps every limit."""
        given = all(objective.metric in measurement.metrics for objective in self.objectives)
        return measurement.ok and given and not self.broken(measurement.metrics)

    def scores(self, measurement: Measurement) -> tuple[float, ...] | None:
        """By objective, larger is better; ``None`` for what is not ``feasible``."""
        if not self.feasible(measurement):
            return None
        return tuple(objective.sign * measurement.metrics[objective.metric] for objective in self.objectives)

    def __str__(self) -> str:
        wanted = ", ".join(f"{objective.goal} {objective.metric}" for objective in self.objectives)
        return "; ".join([wanted, *map(str, self.limits)])


def closest_to(limits: Sequence[Limit], metrics: Mapping[str, NDArray[np.float64]]) -> tuple[int, float, str]:
    """Of candidates that may break limits, one at least, the one that breaks them least.

    Args:
        limits: that may be broken.
        metrics: that are limited, by name ``(n,)``; NaN where one is not known.

    Returns:
        Which it is, by how much it breaks the limits in shares of these, and what it has, in words.
    """
    import numpy as np

    shares = np.sum([limit.share(metrics[limit.metric]) for limit in limits], axis=0)
    at = int(np.argmin(shares))
    has = ", ".join(dict.fromkeys(f"{limit.metric} {metrics[limit.metric][at]:g}" for limit in limits))
    return at, float(shares[at]), has


def limits_of(at_most: Mapping[str, float], at_least: Mapping[str, float]) -> tuple[Limit, ...]:
    """Limits by metric, ``max`` and ``min``."""
    above: Iterable[Limit] = (Limit(metric, "max", value) for metric, value in at_most.items())
    below: Iterable[Limit] = (Limit(metric, "min", value) for metric, value in at_least.items())
    return (*above, *below)
