"""Searchers: ask for architectures, tell what was measured."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Container, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from naopt.configuration import Settings
from naopt.errors import InputError
from naopt.measurement import Goal, Measurement, check_goal
from naopt.registry import Registry
from naopt.spaces import Architecture, SearchSpace

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SMALL = 100_000
_PENDING = 0x70656E64
"""Sets the randomness of an ``ask`` with something pending apart."""

searchers: Registry[type[Searcher]] = Registry("searcher", "naopt.searchers")


@dataclass(frozen=True, slots=True)
class Objective:
    """The metric that is optimised and its direction. Raises ``InputError`` for no name, and another goal."""

    metric: str
    goal: Goal = "max"

    def __post_init__(self) -> None:
        if not isinstance(self.metric, str) or not self.metric:
            raise InputError("metric of an objective", self.metric, "must be its name")
        check_goal(f"goal of objective {self.metric}", self.goal)

    def score(self, measurement: Measurement) -> float | None:
        """The metric turned so that larger is better; ``None`` if it was not measured."""
        value = measurement.metrics.get(self.metric)
        if value is None or not measurement.ok:
            return None
        return value if self.goal == "max" else -value


@dataclass(frozen=True, slots=True)
class Proposal:
    """An architecture that a searcher wants measured.

    ``origin`` says how it was found (``random``, ``ascent``, ``refill``, ``mutation`` ...), ``parent`` from what, and
    ``predicted`` what the searcher expects of it, in the metric's own unit, where it expects anything.
    """

    architecture: Architecture
    origin: str
    predicted: float | None = None
    parent: Architecture | None = None


class Known(Collection[Architecture]):
    """What must not be proposed: several collections, looked through one after the other and never copied.

    Args:
        parts: sets, or dictionaries by architecture; anything else is made one.
    """

    def __init__(self, *parts: Collection[Architecture]) -> None:
        self._parts = [part if isinstance(part, (set, dict, Known)) else frozenset(part) for part in parts if part]

    def __contains__(self, architecture: object) -> bool:
        return any(architecture in part for part in self._parts)

    def __iter__(self) -> Iterator[Architecture]:
        for part in self._parts:
            yield from part

    def __len__(self) -> int:
        return sum(map(len, self._parts))


class Searcher(ABC):
    """Proposes architectures of a space and learns from their measurements.

    Contract. The loop calls ``ask``, has what is proposed measured, and calls ``tell`` once for each. In the
    synchronous schedule it tells a whole round, in the order in which it was asked, before it asks again. In the
    asynchronous one it tells results as they come and asks again while others are pending, so nothing may be assumed
    about the order. What ``ask`` returns depends on nothing but the space, the settings, the seed, the budget, what was
    told before and what is pending, so a search that was killed goes on from its measurements alone: a fresh searcher
    is told them in order. Failed measurements are told like all others.

    Also told, before the first ``ask`` or between two, is what no ``ask`` proposed: measurements of earlier searches,
    and architectures that somebody wanted measured. They count like all others, for first random rounds too.

    ``naopt.testing.searchers`` holds the conformance suite.

    Args:
        space: where to search.
        objective: what is optimised. Searchers maximise ``objective.score``.
        settings: an instance of the class's ``settings_type``.
        seed: non-negative.
        budget: how many measurements the whole search may use; at least 1.
    """

    settings_type: ClassVar[type[Settings]] = Settings
    learns: ClassVar[bool] = True
    """Whether proposals depend on the scores that are told."""

    def __init__(self, space: SearchSpace, objective: Objective, settings: Settings, *, seed: int, budget: int) -> None:
        self.space, self.objective, self.settings, self.seed, self.budget = space, objective, settings, seed, budget
        self.history: list[tuple[Architecture, Measurement]] = []
        self.seen: set[Architecture] = set()

    @abstractmethod
    def ask(self, count: int, pending: Sequence[Architecture] = ()) -> Sequence[Proposal]:
        """Up to ``count`` (>= 1) proposals, none of which was told before or is pending, and no two equal.

        With nothing pending it gives a round: fewer than ``count`` means that the searcher wants to be told about
        these first, none at all that it found no new architecture, and the search ends. With something pending it
        should give ``count``, so that nobody idles; none at all means that it wants to be told first.

        Args:
            count: how many can be measured.
            pending: what was proposed and is not told yet, in the order of the proposals: others are at work on them,
                or they are the first part of a round that is being enlarged.
        """

    @property
    def round_size(self) -> int:
        """How many proposals a round has after the first, random ones: so many workers find work without ``pending``.

        1 unless a searcher says otherwise.
        """
        return 1

    def tell(self, architecture: Architecture, measurement: Measurement) -> None:
        """Takes note of one measurement."""
        self.history.append((architecture, measurement))
        self.seen.add(architecture)

    def round_log(self) -> dict[str, Any]:
        """What the latest ``ask`` has to say about itself: JSON values by name (losses, counts, seconds)."""
        return {}

    def generator(self, *purpose: int, pending: Sequence[Architecture] = ()) -> np.random.Generator:
        """Randomness for the next ``ask``: a function of the seed and of how much was told and is pending."""
        key = [_PENDING, len(pending)] if pending else []
        return np.random.default_rng([self.seed, len(self.history), *purpose, *key])

    def told(self) -> tuple[list[Architecture], NDArray[np.float64]]:
        """Architectures with a score, and the scores ``(n,)``, larger is better."""
        pairs = [(a, s) for a, m in self.history if (s := self.objective.score(m)) is not None]
        return [a for a, _ in pairs], np.array([s for _, s in pairs], dtype=np.float64)


def of_budget(count: int | None, share: float, budget: int, least: int = 1) -> int:
    """A setting that is a count, or else a share of the budget, ``least`` at least."""
    return count or max(least, round(share * budget))


def sample_new(
    space: SearchSpace, seen: Container[Architecture], count: int, rng: np.random.Generator, attempts: int = 200
) -> list[Architecture]:
    """Up to ``count`` distinct uniform architectures outside ``seen``.

    Where ``attempts`` draws in a row find none, a space of at most 100,000 sequences is gone through for what is left;
    a larger one gives fewer than ``count``.
    """
    found: dict[Architecture, None] = {}
    while len(found) < count:
        drawn = (space.sample(rng) for _ in range(attempts))
        new = next((a for a in drawn if a not in seen and a not in found), None)
        if new is None:
            break
        found[new] = None
    if len(found) < count and space.size <= _SMALL:
        left = list(dict.fromkeys(a for a in space.enumerate() if a not in seen and a not in found))
        order = rng.permutation(len(left))[: count - len(found)]
        found |= {left[index]: None for index in order}
    return list(found)
